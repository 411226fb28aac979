package web

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// openBrowser starts Debian's Chromium without a window. Without Chromium the test is
// skipped, unless BUSBAR_BROWSER says that there has to be one.
func openBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("BUSBAR_BROWSER") != "" {
			t.Fatal("no chromium found: apt-get install chromium")
		}
		t.Skip("no chromium on this machine (apt-get install chromium); the gate of continuous integration has one")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

func look[T any](t *testing.T, ctx context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// serveLocal serves f as the daemon does, on loopback.
func serveLocal(t *testing.T, f *fake) string {
	t.Helper()
	server := httptest.NewServer(New(f, slog.New(slog.DiscardHandler)).Handler())
	t.Cleanup(server.Close)
	return server.URL
}

// asked collects the addresses that the browser asks for.
func asked(t *testing.T, ctx context.Context) func() []string {
	t.Helper()
	var mu sync.Mutex
	var urls []string
	err := chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			urls = append(urls, e.Request.URL)
		case *network.EventWebSocketCreated:
			urls = append(urls, e.URL)
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), urls...)
	}
}

// TestBrowserFollowsTheStation: the verdict changes on the open page when the station's
// does, what a meter says of itself is only text, and nothing foreign is asked for.
func TestBrowserFollowsTheStation(t *testing.T) {
	ctx := openBrowser(t)
	f := newFake()
	url := serveLocal(t, f)
	do(t, ctx, chromedp.EmulateViewport(1366, 768))
	requests := asked(t, ctx)
	do(t, ctx, chromedp.Navigate(url))
	verdict := look(t, ctx, chromedp.Text("#verdict"))
	table := look(t, ctx, chromedp.Text("table"))
	if want := healthy().Verdict; verdict != want {
		t.Errorf("verdict %q, want %q", verdict, want)
	}
	if !strings.Contains(table, "<script>alert(1)</script>") {
		t.Errorf("the meter's name is not shown literally: %q", table)
	}
	f.set(func(s *Status) {
		s.Line = Line{State: "without mains", Detail: "the modem sees no mains", Port: "/dev/ttyS1"}
		s.Judge()
	})
	const changed = `document.getElementById("verdict").textContent.includes("no mains")`
	if !look(t, ctx, chromedp.Poll[bool](changed, chromedp.WithPollingTimeout(time.Minute))) {
		t.Error("the open page did not follow")
	}
	live := false
	for _, u := range requests() {
		live = live || strings.HasPrefix(u, "ws://")
		host := strings.TrimPrefix(strings.TrimPrefix(u, "ws://"), "http://")
		if !strings.HasPrefix(host, strings.TrimPrefix(url, "http://")) && !strings.HasPrefix(u, "data:") {
			t.Errorf("the page asks for %s", u)
		}
	}
	if !live {
		t.Error("no live connection was opened")
	}
}

// TestBrowserNarrow: on a telephone's width nothing has to be pushed sideways.
func TestBrowserNarrow(t *testing.T) {
	ctx := openBrowser(t)
	url := serveLocal(t, newFake())
	do(t, ctx, chromedp.EmulateViewport(360, 740), chromedp.Navigate(url), chromedp.WaitVisible("#verdict"))
	width := look(t, ctx, chromedp.Evaluate[int]("document.documentElement.scrollWidth"))
	if width > 360 {
		t.Errorf("the page is %d pixels wide on a screen of 360", width)
	}
}
