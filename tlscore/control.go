package tlscore

import (
	"sync/atomic"

	"github.com/tlswright/tlswright/wire"
)

// control is the queue between the two halves of an established connection: what the read half found must be sent, and
// the write half has not sent yet. It holds at most one KeyUpdate answer, one alert and MaxOpenRequests answers
// to certificate requests, so it cannot grow.
type control struct {
	answerUpdate atomic.Bool   // the peer asked for a KeyUpdate (RFC 8446, Section 4.6.3)
	answers      atomic.Bool   // certificates were asked for, see lateAuth
	alert        atomic.Uint32 // alertPending | code: the connection failed, the peer must be told
	tickets      atomic.Int32  // NewSessionTicket messages received
}

const alertPending = 1 << 8

func (c *control) queueAlert(code wire.AlertCode) {
	c.alert.CompareAndSwap(0, alertPending|uint32(code))
}

func (c *control) takeAlert() (wire.AlertCode, bool) {
	v := c.alert.Swap(0)
	return wire.AlertCode(v), v&alertPending != 0
}

func (c *control) pending() bool {
	return c.answerUpdate.Load() || c.answers.Load() || c.alert.Load() != 0
}
