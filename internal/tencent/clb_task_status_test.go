package tencent

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCLBTask(t *testing.T) {
	state := func(state State, status string) Observation {
		return Observation{State: state, Status: status, Progress: NoProgress}
	}
	cases := map[string]struct {
		reason string
		answer string
		want   Observation
	}{
		"the documented sample": {
			answer: `{"Response":{"Status":0,"RequestId":"917384bc"}}`,
			want:   Observation{State: Succeeded, Status: "0", Progress: NoProgress, RequestID: "917384bc"},
		},
		"running": {answer: `{"Response":{"Status":2,"LoadBalancerIds":null,"Message":null}}`, want: state(Running, "2")},
		"failed": {
			reason: "with its message",
			answer: `{"Response":{"Status":1,"LoadBalancerIds":["lb-1",null,"","lb-2"],"Message":"no capacity"}}`,
			want:   Observation{State: Failed, Status: "1", Progress: NoProgress, ResourceIDs: []string{"lb-1", "lb-2"}, Message: "no capacity"},
		},
		"unknown number": {"neither success nor failure", `{"Response":{"Status":3}}`, state(Unrecognized, "3")},
		"negative":       {"neither success nor failure", `{"Response":{"Status":-1}}`, state(Unrecognized, "-1")},
		"null status":    {"not 0, which is success", `{"Response":{"Status":null}}`, state(Unrecognized, "")},
		"no status":      {"not 0, which is success", `{"Response":{}}`, state(Unrecognized, "")},
		"null Response":  {"not 0, which is success", `{"Response":null}`, state(Unrecognized, "")},
		"no Response":    {"not 0, which is success", `{}`, state(Unrecognized, "")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, answer(tc.answer)).CLBTask(t.Context(), testCredential, testRegion, CLBQuery{RequestID: "55c85074"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestCLBTaskErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		kind   Kind
		code   string
	}{
		"general error": {"may pass", apiErrorAnswer("FailedOperation"), Unavailable, "FailedOperation"},
		"parameter":     {"the ID is the only one", apiErrorAnswer("InvalidParameter"), NotFound, "InvalidParameter"},
		"string status": {"the SDK cannot read it", `{"Response":{"Status":"0"}}`, Unavailable, "UnreadableAnswer"},
		"half a status": {"the SDK cannot read it", `{"Response":{"Status":0.5}}`, Unavailable, "UnreadableAnswer"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, answer(tc.answer)).CLBTask(t.Context(), testCredential, testRegion, CLBQuery{DealName: "1"})
			wantError(t, err, tc.kind, tc.code)
		})
	}
}

func TestCLBTaskRequest(t *testing.T) {
	cases := map[string]struct {
		query CLBQuery
		want  string
	}{
		"request ID": {CLBQuery{RequestID: "55c85074"}, `{"TaskId":"55c85074"}`},
		"deal name":  {CLBQuery{DealName: "20260101"}, `{"DealName":"20260101"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				wantBody(t, r, tc.want)
				if got := r.Header.Get("X-Tc-Version"); got != "2018-03-17" {
					t.Errorf("version %q", got)
				}
				_, _ = io.WriteString(w, `{"Response":{"Status":2}}`)
			})
			if _, err := client.CLBTask(t.Context(), testCredential, testRegion, tc.query); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestCLBResourcesAreBounded(t *testing.T) {
	var ids []string
	for i := range 150 {
		ids = append(ids, fmt.Sprintf(`"lb-%d"`, i))
	}
	client := serve(t, answer(`{"Response":{"Status":0,"LoadBalancerIds":[`+strings.Join(ids, ",")+`]}}`))
	got, err := client.CLBTask(t.Context(), testCredential, testRegion, CLBQuery{RequestID: "a"})
	if err != nil || len(got.ResourceIDs) != 100 {
		t.Errorf("got %d IDs, %v, want 100", len(got.ResourceIDs), err)
	}
}
