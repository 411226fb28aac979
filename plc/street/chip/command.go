package chip

import (
	"time"

	"busbar/plc/mac"
	"busbar/plc/modem"
)

// obey carries out a host command (sfsk.md 7.4).
func (c *Chip) obey(now time.Time, f modem.Frame) {
	switch f.Command {
	case modem.ResetRequest:
		c.counters.Resets++
		c.reset()
	case modem.WriteConfigRequest:
		c.configure(now, f.Data)
	case modem.AccessDBRequest:
		c.access(f.Data)
	case modem.DataRequest:
		c.send(f.Data)
	case modem.RepeaterCallRequest:
		c.callRepeaters(f.Data)
	case modem.DesynchroRequest:
		if c.set && c.conf.Mode() == modem.ModeServer {
			c.queue(modem.SynchroIndication, modem.Synchro{
				Event: modem.SynchroLost, Cause: modem.LostByCommand, A: c.conf.Local, B: c.conf.Initiator,
			}.Append(nil))
			return
		}
		c.fail(modem.AccessDBError, modem.UnavailableMode)
	default:
		c.fail(modem.AccessDBError, modem.UnavailableCommand)
	}
}

// fail answers a request with an error code.
func (c *Chip) fail(command modem.Command, code modem.ErrorCode) {
	c.counters.Refused++
	c.queue(command, []byte{byte(code)})
}

// confirm answers an MA_Data request.
func (c *Chip) confirm(t mac.Transmission) {
	if t != mac.Sent {
		c.counters.Refused++
	}
	c.queue(modem.DataConfirm, []byte{byte(t)})
}

// configure stores a configuration and echoes what is stored (7.5).
func (c *Chip) configure(now time.Time, data []byte) {
	conf, _, err := modem.ParseConfiguration(data)
	if err != nil || c.cfg.StrictConfig && conf.Short != c.cfg.ShortConfig {
		c.fail(modem.WriteConfigError, modem.IllegalData)
		return
	}
	if code := judge(conf); code != 0 {
		c.fail(modem.WriteConfigError, code)
		return
	}
	if c.set && conf.Radio != c.conf.Radio {
		c.fail(modem.WriteConfigError, modem.RequestNotAllowed) // only after a reset
		return
	}
	c.set, c.conf, c.heard = true, conf, now
	c.wasOn = !c.notSync()
	c.queue(modem.WriteConfigConfirm, conf.Append(nil))
}

// judge says what is wrong with a configuration, 0 for nothing.
func judge(conf modem.Configuration) modem.ErrorCode {
	initiator := conf.Local >= conf.FIMA && conf.Local <= conf.LIMA
	switch conf.Mode() {
	case modem.ModeInitiator:
		if !initiator {
			return modem.IllegalLocalAddress
		}
		if conf.Initiator != 0 {
			return modem.IllegalInitiatorAddress
		}
	case modem.ModeServer:
		if initiator {
			return modem.IllegalLocalAddress
		}
	case modem.ModeMonitor:
	default:
		return modem.IllegalData
	}
	if conf.FIMA == 0 || conf.LIMA < conf.FIMA || !conf.LIMA.Valid() {
		return modem.IllegalInitiatorAddress
	}
	return 0
}

// send takes an MA_Data request. The first transmission begins with the next slot in
// which the mains is free for us (7.6).
func (c *Chip) send(data []byte) {
	d, _, err := modem.ParseData(data, c.cfg.AddressOrder)
	switch {
	case !c.set || c.conf.Mode() != modem.ModeInitiator || c.notSync():
		c.confirm(mac.NotAuthorized)
		return
	case err != nil || d.Source != c.conf.Local || d.Credits.Current != d.Credits.Initial:
		c.confirm(mac.SyntaxError)
		return
	case c.pending != nil:
		c.confirm(mac.BufferBusy)
		return
	case c.call != nil:
		c.confirm(mac.ChipBusy)
		return
	}
	// The pad octet of a request means nothing and no padding follows: what is behind the
	// header is the MSDU, whatever its length.
	d.MSDU = data[modem.DataHeaderSize:]
	at := c.mains.FreeFrom(c.mains.Now() + 1)
	c.pending = &request{sent: c.mains.Transmit(at, mac.DataRequest{
		Source: d.Source, Destination: d.Destination, Credit: d.Credits.Initial, MSDU: d.MSDU,
	})}
}

// callRepeaters sends the pattern in position 0, and with it begin the slots of all
// others (2.6). The confirm comes when our own position is over.
func (c *Chip) callRepeaters(data []byte) {
	r, _, err := modem.ParseRepeaterCall(data)
	switch {
	case !c.set || c.conf.Mode() != modem.ModeInitiator:
		c.fail(modem.AccessDBError, modem.UnavailableMode)
		return
	case err != nil || r.Position != 0:
		c.fail(modem.AccessDBError, modem.IllegalData)
		return
	case c.notSync() || c.pending != nil || c.call != nil:
		c.fail(modem.AccessDBError, modem.RequestNotAllowed)
		return
	}
	at := c.mains.FreeFrom(c.mains.Now() + 1)
	c.mains.CallRepeaters(at, float64(r.Level))
	c.call = &pendingCall{done: at + 1, echo: append([]byte(nil), data...)}
}
