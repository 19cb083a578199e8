package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// parrot is a cloud that repeats all that it was sent: headers, parameters,
// signatures.
type parrot struct {
	mu         sync.Mutex
	calls      map[string]int // by task
	signatures []string
}

var signatureIn = regexp.MustCompile(`Signature=([^&\s]+)`)

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var header strings.Builder
	_ = r.Header.Write(&header) // a builder takes all
	sent := r.Method + " " + r.URL.String() + "\r\n" + header.String() + "\r\n" + string(body)
	said := p.listen(r, sent)
	w.Header().Set("X-Repeated", strings.ReplaceAll(r.Header.Get("Authorization"), "\n", " "))
	switch said {
	case 1, 2, 3: // in an error
		code := []string{"InternalError", "FailedOperation.Unknown", "InvalidParameter"}[said-1]
		p.answer(w, r, map[string]any{"Code": code, "Message": sent}, nil)
	case 4: // as a code
		p.answer(w, r, map[string]any{"Code": sent, "Message": ""}, nil)
	case 5: // where no JSON is
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, sent)
	case 6: // in JSON of another kind
		_ = json.NewEncoder(w).Encode([]string{sent})
	case 7: // as a status
		p.answer(w, r, nil, map[string]any{"Status": sent, "TaskMessage": sent, "Message": sent, "TaskType": sent})
	case 8: // where a person must act; asked again 45 seconds later
		p.answer(w, r, map[string]any{"Code": "UnauthorizedOperation", "Message": sent}, nil)
	default: // in the final failure
		status := map[string]any{"DescribeTaskStatus": 1, "DescribeTaskInfo": "failed", "": 3}[r.Header.Get("X-Tc-Action")]
		p.answer(w, r, nil, map[string]any{
			"status": status, "TaskMessage": sent, "Message": sent, "TaskType": sent,
			"InstanceId": sent, "LoadBalancerIds": []string{sent}, "StartTime": sent,
		})
	}
}

// listen notes a call and its signature, and returns how many there were of its
// task.
func (p *parrot) listen(r *http.Request, sent string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[r.Header.Get("X-Tc-Action")]++
	for _, m := range signatureIn.FindAllStringSubmatch(sent, -1) {
		s, err := url.QueryUnescape(m[1])
		if err != nil {
			s = m[1]
		}
		if !slices.Contains(p.signatures, s) {
			p.signatures = append(p.signatures, s)
		}
	}
	return p.calls[r.Header.Get("X-Tc-Action")]
}

func (p *parrot) answer(w http.ResponseWriter, r *http.Request, failure, fields map[string]any) {
	var envelope map[string]any
	switch {
	case strings.HasPrefix(r.URL.Path, "/v2/") && failure != nil:
		envelope = map[string]any{"code": 6000, "codeDesc": failure["Code"], "message": failure["Message"]}
	case strings.HasPrefix(r.URL.Path, "/v2/"):
		envelope = map[string]any{"code": 0, "codeDesc": "Success", "message": fields["Message"], "data": fields}
	case failure != nil:
		envelope = map[string]any{"Response": map[string]any{"Error": failure, "RequestId": failure["Message"]}}
	default:
		fields["RequestId"] = fields["Message"]
		envelope = map[string]any{"Response": fields}
	}
	_ = json.NewEncoder(w).Encode(envelope) // a client that left needs no answer
}

func TestNoSecretIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	p := &parrot{calls: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.applySecret("tencent-credentials", mainKey)
	op := w.operate(options{})
	names := []string{"redis", "redis2", "clb", "deal"}
	w.create("redis", redis(100))
	w.create("redis2", legacyRedis(101))
	w.create("clb", clb("request-1"))
	w.create("deal", clbOrder("deal-1"))
	w.create("latest", latestOf("crs-1"))
	w.history.untilFinished(names...)
	w.secret("tencent-credentials", canaryKey("rotated"))
	w.history.untilOne("latest", "is told of", func(s v1alpha1.CloudTaskStatus) bool { return s.ObservedGeneration > 0 })
	t.Logf("ended in %s", op.stop(syscall.SIGTERM).Round(time.Millisecond))
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.signatures) < 10 {
		t.Errorf("only %d signatures were seen", len(p.signatures))
	}
	text, _ := op.output.read()
	for _, found := range leaks(text, p.signatures...) {
		t.Errorf("a secret is in the operator's output: %s", found)
	}
	for _, kind := range []string{"cloudtasks", "events.events.k8s.io"} {
		yaml := w.yaml(kind)
		if !strings.Contains(string(yaml), "redis2") {
			t.Errorf("the %s are not all there:\n%s", kind, yaml)
		}
		for _, found := range leaks(yaml, p.signatures...) {
			t.Errorf("a secret is in the %s: %s", kind, found)
		}
	}
	for _, name := range names {
		t.Logf("%s: %.300s", name, describe(w.firstFinished(name).task.Status))
	}
}

// applySecret creates a Secret by kubectl apply, which repeats its data in an
// annotation.
func (w *world) applySecret(name string, k fakecloud.Key) {
	w.Helper()
	manifest, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]string{"name": name, "namespace": w.namespace},
		"stringData": map[string]string{"secretId": k.SecretID, "secretKey": k.SecretKey, "token": k.Token},
	})
	check(w.T, err)
	cmd := env.Kubectl(w.Context(), "apply", "--filename=-")
	cmd.Stdin = strings.NewReader(string(manifest))
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatal(fmt.Errorf("%w: %s", err, out))
	}
}
