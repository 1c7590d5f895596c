package tlsnet_test

import (
	"io"
	"testing"
)

// TestRestDisturbsNobody rests at random moments of an exchange: while nothing is under way, and while a Read waits.
func TestRestDisturbsNobody(t *testing.T) {
	st := newSite(t)
	a, b := tcpPair(t)
	c, s := ends(t, st.clientConfig(), st.serverConfig(), a, b)
	c.Rest() // before the handshake
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(s, s)
		echoed <- err
	}()
	stop := make(chan struct{})
	resting := make(chan struct{})
	go func() {
		defer close(resting)
		for {
			select {
			case <-stop:
				return
			default:
				c.Rest()
				s.Rest()
			}
		}
	}()
	for range 300 {
		mustWrite(t, c, "hello")
		mustRead(t, c, "hello")
	}
	c.CloseWrite()
	if err := <-echoed; err != nil {
		t.Error(err)
	}
	c.Close()
	s.Close()
	close(stop)
	<-resting
	c.Rest()
}
