package cli

import (
	"strings"

	"github.com/tlswright/tlswright/internal/config"
)

// dashboardAddress is what --dashboard and --listen mean: a host or a port may be left out.
func dashboardAddress(flag string) string {
	if flag == "" {
		return ""
	}
	if !strings.Contains(flag, ":") {
		flag += ":" + config.DashboardPort
	}
	if strings.HasPrefix(flag, ":") {
		flag = "127.0.0.1" + flag
	}
	return flag
}
