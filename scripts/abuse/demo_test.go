package abuse

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDemo is what `make demo` runs, in small: outage, kill and proof, and nothing stays behind.
func TestDemo(t *testing.T) {
	long(t)
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	out, said, code := run(t, nil, "demo", "--meters", "12", "--kill", "--seed", "3")
	proven := regexp.MustCompile(`(?m)^([1-9]\d*) of (\d+) values equal, 0 missing, 0 duplicated, 0 different$`).FindStringSubmatch(out)
	if code != 0 || proven == nil || proven[1] != proven[2] {
		t.Fatalf("exit code %d\n%s%s", code, out, said)
	}
	for _, part := range []string{"CUT for", "killed without warning", "link back"} {
		if !strings.Contains(out, part) {
			t.Errorf("the demo does not tell %q:\n%s", part, out)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
