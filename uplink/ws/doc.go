// Package ws is the way to the center: binary WebSocket messages over TLS 1.3 with
// certificates on both sides.
//
// It implements RFC 6455 by gorilla/websocket and RFC 8446 by crypto/tls. Every
// message is one envelope; a receipt counts only with the signature of the key
// whose certificate the center showed.
//
// The courier above it sees an uplink.Center. Below it lies the network as the
// operating system provides it, over cellular or not.
//
// A session is used by one sending and one receiving goroutine; a timer of its
// own pings an idle line.
//
// It never falls back to anything weaker, never trusts the system's certificate
// authorities, never follows a redirect or a proxy, and never writes a key into
// an error.
package ws
