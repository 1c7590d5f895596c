package cli

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/tlswright/tlswright/internal/monitor"
	"github.com/tlswright/tlswright/internal/watch"
)

// monitorMetrics is the page that Prometheus reads, and where it is.
type monitorMetrics struct {
	listener net.Listener
	page     *monitor.Metrics
}

// openMonitorMetrics listens at an address, on loopback where it names no host; nil for "".
func (a *app) openMonitorMetrics(address string) (*monitorMetrics, error) {
	if address == "" {
		return nil, nil
	}
	if strings.HasPrefix(address, ":") {
		address = "127.0.0.1" + address
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, &failure{kind: kindLocal, text: "--metrics: " + err.Error(), err: err, hint: "is the port taken? --metrics 127.0.0.1:0 takes a free one"}
	}
	return &monitorMetrics{listener: l}, nil
}

// begin makes the page, now that there is an engine.
func (s *monitorMetrics) begin(a *app, m *openedMonitor, told *monitorLog) {
	if s == nil {
		return
	}
	at, err := netip.ParseAddrPort(s.listener.Addr().String())
	isLocal := err == nil && at.Addr().IsLoopback()
	if !isLocal {
		a.ui.warnf("everybody who reaches %s can read the metrics", s.listener.Addr())
	}
	s.page = monitor.NewMetrics(monitor.MetricsOptions{History: m.history, Version: buildVersion().Version, Now: a.now, Stats: m.engine.Stats, Local: isLocal})
	told.listening("metrics", "http://"+s.listener.Addr().String()+"/metrics")
}

// looked counts a look.
func (s *monitorMetrics) looked(target string, v watch.Verdict, took time.Duration) {
	if s != nil && s.page != nil {
		s.page.Looked(target, v, took)
	}
}

// serve answers until ctx ends.
func (s *monitorMetrics) serve(ctx context.Context) error {
	return servePlainHTTP(ctx, s.listener, s.page)
}

// close ends listening, at the latest now.
func (s *monitorMetrics) close() {
	if s != nil {
		_ = s.listener.Close() // it may have ended with serve
	}
}
