package cellular

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Port is an AT port. Read returns 0, nil when nothing came for a while.
type Port interface {
	io.ReadWriteCloser
}

// commandTimeout bounds one command; COPS and CPIN may take long on real modems.
const commandTimeout = 10 * time.Second

// maxAnswer bounds the lines of one answer.
const maxAnswer = 64

// dialog talks AT commands over a port. One goroutine at a time uses it.
type dialog struct {
	port   Port
	lines  chan string
	closed chan struct{}
	cause  error
}

func newDialog(port Port) *dialog {
	d := &dialog{port: port, lines: make(chan string, 64), closed: make(chan struct{})}
	go d.read()
	return d
}

// read pumps lines from the port. When nobody takes them the oldest are lost: an
// answer is only awaited after its command, so what piles up is unsolicited.
func (d *dialog) read() {
	defer close(d.closed)
	var split Lines
	buf := make([]byte, 256)
	for {
		n, err := d.port.Read(buf)
		for _, line := range split.Feed(buf[:n]) {
			select {
			case d.lines <- line:
			default:
				select {
				case <-d.lines:
				default:
				}
				select {
				case d.lines <- line:
				default:
				}
			}
		}
		if err != nil {
			d.cause = err
			return
		}
	}
}

func (d *dialog) close() {
	_ = d.port.Close() // it is being given up
	<-d.closed
}

// drain drops what came without being asked.
func (d *dialog) drain() {
	for {
		select {
		case <-d.lines:
		default:
			return
		}
	}
}

// command sends one command line and returns the lines before its final result.
// shown stands for the command in errors, so that a PIN never appears there.
func (d *dialog) command(ctx context.Context, line, shown string) ([]string, error) {
	d.drain()
	if _, err := d.port.Write([]byte(line + "\r")); err != nil {
		return nil, fmt.Errorf("%s: %w", shown, err)
	}
	timer := time.NewTimer(commandTimeout)
	defer timer.Stop()
	var answer []string
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-timer.C:
			return nil, fmt.Errorf("%s: %w", shown, errNoAnswer)
		case <-d.closed:
			return nil, fmt.Errorf("%s: the AT port went away: %w", shown, d.cause)
		case got := <-d.lines:
			if got == line { // echo
				continue
			}
			done, err := Final(got)
			if err != nil {
				return answer, fmt.Errorf("%s: %w", shown, err)
			}
			if done {
				return answer, nil
			}
			if len(answer) < maxAnswer {
				answer = append(answer, got)
			}
		}
	}
}

// query sends a command and returns the first answer line that starts with prefix.
func (d *dialog) query(ctx context.Context, line, prefix string) (string, error) {
	answer, err := d.command(ctx, line, line)
	if err != nil {
		return "", err
	}
	for _, a := range answer {
		if strings.HasPrefix(a, prefix) {
			return a, nil
		}
	}
	return "", fmt.Errorf("%s: the modem answered without %s", line, prefix)
}

// isModemError reports whether the modem is there but said no.
func isModemError(err error) bool {
	var m *ModemError
	return errors.As(err, &m)
}
