// Package integrations checks what docs/ offers to other tools.
package integrations

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"sigs.k8s.io/yaml"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const argoCD = "../../docs/argo-cd"

// healthTests is a health_test.yaml as Argo CD's resource_customizations have it.
type healthTests struct {
	Tests []struct {
		HealthStatus struct{ Status, Message string }
		InputPath    string
	}
}

func TestArgoCDHealth(t *testing.T) {
	var suite healthTests
	readYAML(t, "health_test.yaml", &suite)
	for _, test := range suite.Tests {
		t.Run(strings.TrimSuffix(filepath.Base(test.InputPath), ".yaml"), func(t *testing.T) {
			var task v1alpha1.CloudTask // the input must be an object as the CRD has it
			readYAML(t, test.InputPath, &task)
			var obj map[string]any
			readYAML(t, test.InputPath, &obj)
			status, message := health(t, obj)
			if status != test.HealthStatus.Status || message != test.HealthStatus.Message {
				t.Errorf("health %s, %q; want %s, %q", status, message, test.HealthStatus.Status, test.HealthStatus.Message)
			}
		})
	}
}

// Each object in testdata has its test, as Argo CD itself demands.
func TestArgoCDHealthTestsEveryInput(t *testing.T) {
	var suite healthTests
	readYAML(t, "health_test.yaml", &suite)
	var tested []string
	for _, test := range suite.Tests {
		tested = append(tested, filepath.Join(argoCD, test.InputPath))
	}
	inputs, err := filepath.Glob(filepath.Join(argoCD, "testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(tested)
	if diff := cmp.Diff(inputs, tested); diff != "" {
		t.Errorf("inputs (-there +tested):\n%s", diff)
	}
}

// A key that waiting.md shows must be the one Argo CD looks up.
func TestArgoCDHealthIsInTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/waiting.md")
	if err != nil {
		t.Fatal(err)
	}
	key := "resource.customizations.health." + v1alpha1.GroupVersion.Group + "_CloudTask"
	if !strings.Contains(string(page), key) {
		t.Errorf("docs/waiting.md does not name %s", key)
	}
}

// health runs the script as Argo CD does: with the base, table and string
// libraries, the object in obj, and a table for an answer.
func health(t *testing.T, obj map[string]any) (status, message string) {
	t.Helper()
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString,
	} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	state.SetGlobal("obj", toLua(state, obj))
	if err := state.DoFile(filepath.Join(argoCD, "health.lua")); err != nil {
		t.Fatal(err)
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script answers %s, not a table", state.Get(-1).Type())
	}
	return answer.RawGetString("status").String(), answer.RawGetString("message").String()
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch v := value.(type) {
	case bool:
		return lua.LBool(v)
	case float64:
		return lua.LNumber(v)
	case string:
		return lua.LString(v)
	case []any:
		table := state.CreateTable(len(v), 0)
		for _, item := range v {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.CreateTable(0, len(v))
		for key, item := range v {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(argoCD, path))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
