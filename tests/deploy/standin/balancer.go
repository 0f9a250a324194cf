package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// createBalancer starts HAProxy with nothing to balance yet; its address is on the public network, its way to the
// nodes on the private one.
func (c *containers) createBalancer(all records, fields attributes) error {
	id := text(fields["id"])
	if err := c.writeBalancer(all, id); err != nil {
		return err
	}
	name := c.name("lb", id)
	if err := docker("run", "--detach", "--name", name, "--label", c.label(),
		"--network", c.publicName(), "--ip", text(fields["ip_address"]),
		"--volume", c.balancerDir(id)+":/etc/haproxy:ro", balancerImage); err != nil {
		return err
	}
	network := nested(fields, "private_network")
	return c.connect(all, name, text(network["private_network_id"]), texts(network["ipam_ids"]))
}

// renderBalancer puts a changed part of a balancer into effect. HAProxy's own reload keeps open connections.
func (c *containers) renderBalancer(all records, resource string, fields attributes) error {
	balancer := balancerOf(all, resource, fields)
	if balancer == "" {
		return nil
	}
	if err := c.writeBalancer(all, balancer); err != nil {
		return err
	}
	name := c.name("lb", balancer)
	if err := docker("exec", name, "haproxy", "-c", "-q", "-f", "/etc/haproxy/haproxy.cfg"); err != nil {
		return err
	}
	return docker("kill", "--signal", "USR2", name)
}

// balancerOf is the balancer that a changed resource is a part of, or nothing.
func balancerOf(all records, resource string, fields attributes) string {
	switch resource {
	case "scaleway_lb_backend", "scaleway_lb_frontend":
		return text(fields["lb_id"])
	case "scaleway_lb_acl":
		return text(all[text(fields["frontend_id"])].Fields["lb_id"])
	}
	return ""
}

func (c *containers) balancerDir(id string) string { return filepath.Join(c.dir, c.name("lb", id)) }

func (c *containers) writeBalancer(all records, id string) error {
	dir := c.balancerDir(id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file+".next", []byte(haproxyConfig(all, id)), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".next", file)
}

// haproxyConfig says in HAProxy's words what the cloud's balancer was told in Terraform's.
func haproxyConfig(all records, balancer string) string {
	var b strings.Builder
	b.WriteString("global\n  log stdout format raw local0 notice\n  stats socket /run/haproxy.sock mode 600 level admin\n")
	b.WriteString("defaults\n  mode tcp\n  log global\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n")
	// HAProxy does not start without anything to listen on, and a new balancer has nothing.
	b.WriteString("listen idle\n  bind 127.0.0.1:8404\n")
	for _, id := range sortedKeys(all) {
		fields := all[id].Fields
		if text(fields["lb_id"]) != balancer {
			continue
		}
		switch all[id].Type {
		case "scaleway_lb_backend":
			writeBackend(&b, fields)
		case "scaleway_lb_frontend":
			writeFrontend(&b, all, fields, text(all[balancer].Fields["ip_address"]))
		}
	}
	return b.String()
}

func writeBackend(b *strings.Builder, fields attributes) {
	fmt.Fprintf(b, "backend %s\n  balance %s\n", partName(fields), text(fields["forward_port_algorithm"]))
	for _, timeout := range []string{"connect", "server", "tunnel"} {
		fmt.Fprintf(b, "  timeout %s %s\n", timeout, milliseconds(fields["timeout_"+timeout]))
	}
	fmt.Fprintf(b, "  timeout check %s\n", milliseconds(fields["health_check_timeout"]))
	fmt.Fprintf(b, "  retries %d\n", whole(fields["max_retries"]))
	if attempts := whole(fields["redispatch_attempt_count"]); attempts > 0 {
		fmt.Fprintf(b, "  option redispatch %d\n", attempts)
	}
	if check := nested(fields, "health_check_http"); len(check) > 0 {
		fmt.Fprintf(b, "  option httpchk %s %s\n  http-check expect status %d\n",
			text(check["method"]), text(check["uri"]), whole(check["code"]))
	}
	server := fmt.Sprintf("check port %d inter %s fastinter %s fall %d", whole(fields["health_check_port"]),
		milliseconds(fields["health_check_delay"]), milliseconds(fields["health_check_transient_delay"]),
		whole(fields["health_check_max_retries"]))
	if text(fields["on_marked_down_action"]) == "shutdown_sessions" {
		server += " on-marked-down shutdown-sessions"
	}
	if text(fields["proxy_protocol"]) == "v2" {
		server += " send-proxy-v2"
	}
	if given(fields["health_check_send_proxy"]) {
		server += " check-send-proxy"
	}
	for _, address := range texts(fields["server_ips"]) {
		fmt.Fprintf(b, "  server %s %s:%d %s\n", address, address, whole(fields["forward_port"]), server)
	}
}

func writeFrontend(b *strings.Builder, all records, fields attributes, address string) {
	fmt.Fprintf(b, "frontend %s\n  bind %s:%d\n", partName(fields), address, whole(fields["inbound_port"]))
	if client := text(fields["timeout_client"]); client != "" {
		fmt.Fprintf(b, "  timeout client %s\n", milliseconds(client))
	}
	if limit := whole(fields["connection_rate_limit"]); limit > 0 {
		fmt.Fprintf(b, "  rate-limit sessions %d\n", limit)
	}
	for _, acl := range aclsOf(all, text(fields["id"])) {
		verdict := map[string]string{"allow": "accept", "deny": "reject"}[text(nested(acl, "action")["type"])]
		match := nested(acl, "match")
		condition := "if"
		if given(match["invert"]) {
			condition = "unless"
		}
		fmt.Fprintf(b, "  tcp-request connection %s %s { src %s }\n", verdict, condition,
			strings.Join(texts(match["ip_subnet"]), " "))
	}
	fmt.Fprintf(b, "  default_backend %s\n", partName(all[text(fields["backend_id"])].Fields))
}

func aclsOf(all records, frontend string) []attributes {
	var out []attributes
	for _, r := range all {
		if r.Type == "scaleway_lb_acl" && text(r.Fields["frontend_id"]) == frontend {
			out = append(out, r.Fields)
		}
	}
	sort.Slice(out, func(i, j int) bool { return whole(out[i]["index"]) < whole(out[j]["index"]) })
	return out
}

// partName is unique within the balancer also where a name was left out.
func partName(fields attributes) string {
	id := text(fields["id"])
	return text(fields["name"]) + "-" + id[strings.LastIndex(id, "-")+1:]
}

// milliseconds turns Go's notation into HAProxy's; the plan's checks made sure that it parses.
func milliseconds(value any) string {
	length, err := time.ParseDuration(text(value))
	if err != nil {
		return "0"
	}
	return fmt.Sprintf("%dms", length.Milliseconds())
}
