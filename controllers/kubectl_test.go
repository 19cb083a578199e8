package controllers_test

import (
	"errors"
	"os/exec"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

const eitherWay = "--for=jsonpath={.status['phase','error']}=Succeeded"

// kubectlWait calls the real kubectl wait, and returns what it said.
func (w *world) kubectlWait(condition, name, timeout string) (string, error) {
	out, err := w.env.Kubectl(w.Context(), "wait", "-n", w.namespace, condition, "ct/"+name, "--timeout="+timeout).CombinedOutput()
	return string(out), err
}

func TestKubectlWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "1", Duration: 4 * time.Second}, fakecloud.Task{ID: "2", Duration: 4 * time.Second, Fails: true})
	w.redis("good", 1)
	w.redis("bad", 2)
	type call struct{ condition, name, timeout string }
	results := map[call]chan error{}
	for _, c := range []call{ // all begin before the end
		{"--for=condition=Succeeded", "good", "1m"},
		{"--for=condition=Finished", "good", "1m"},
		{eitherWay, "good", "1m"},
		{"--for=condition=Finished", "bad", "1m"},
		{eitherWay, "bad", "1m"},
	} {
		result := make(chan error, 1)
		results[c] = result
		go func() {
			_, err := w.kubectlWait(c.condition, c.name, c.timeout)
			result <- err
		}()
	}
	for c, result := range results {
		fails := c.condition == eitherWay && c.name == "bad"
		if err := <-result; (err != nil) != fails {
			t.Errorf("%v: %v", c, err)
		}
	}
	for c, fails := range map[call]bool{ // afterwards
		{"--for=condition=Succeeded", "good", "0"}: false, {"--for=condition=Succeeded", "bad", "0"}: true,
		{"--for=condition=Failed", "bad", "0"}: false, {"--for=condition=Ready", "good", "0"}: false,
		{eitherWay, "bad", "1m"}: true, {eitherWay, "good", "1m"}: false,
	} {
		started := time.Now()
		out, err := w.kubectlWait(c.condition, c.name, c.timeout)
		var exit *exec.ExitError
		if (err != nil) != fails || err != nil && !errors.As(err, &exit) {
			t.Errorf("%v: %v: %s", c, err, out)
		}
		if time.Since(started) > 50*time.Second {
			t.Errorf("%v: it waited for its timeout", c)
		}
	}
}
