package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// Every rule names what the recorded schema has: a misspelt path would check nothing.
func TestRulesNameWhatIsRecorded(t *testing.T) {
	all, err := loadSchemas()
	if err != nil {
		t.Fatal(err)
	}
	if len(all.recorded) != len(rules) {
		t.Errorf("%d resources recorded, rules for %d", len(all.recorded), len(rules))
	}
	for resource, known := range rules {
		block := all.recorded[resource].Block
		for _, path := range known.paths() {
			if !has(block, strings.Split(path, ".")) {
				t.Errorf("%s has no %s", resource, path)
			}
		}
	}
}

func (r rule) paths() []string {
	out := append(append(append([]string{}, r.replaces...), r.lengths...), r.subnets...)
	out = append(out, sortedKeys(r.defaults)...)
	out = append(out, sortedKeys(r.oneOf)...)
	out = append(out, sortedKeys(r.integers)...)
	out = append(out, sortedKeys(r.between)...)
	out = append(out, sortedKeys(r.refs)...)
	for _, pair := range r.apart {
		out = append(out, pair[0], pair[1])
	}
	return out
}

func has(block recordedBlock, path []string) bool {
	if len(path) == 1 {
		_, attribute := block.Attributes[path[0]]
		_, nested := block.BlockTypes[path[0]]
		return attribute || nested
	}
	nested, ok := block.BlockTypes[path[0]]
	return ok && has(nested.Block, path[1:])
}

func TestComplaints(t *testing.T) {
	id := "fr-par-1/11111111-1111-1111-1111-111111111111"
	for _, row := range []struct {
		resource  string
		config    attributes
		complains string // the attribute, or nothing
	}{
		{"scaleway_lb_backend", attributes{"proxy_protocol": "v2", "timeout_tunnel": "28h", "lb_id": id}, ""},
		{"scaleway_lb_backend", attributes{"proxy_protocol": "v3"}, "proxy_protocol"},
		{"scaleway_lb_backend", attributes{"timeout_tunnel": "28 h"}, "timeout_tunnel"},
		{"scaleway_lb_backend", attributes{"timeout_tunnel": "-1s"}, "timeout_tunnel"},
		{"scaleway_lb_backend", attributes{"timeout_tunnel": "600h"}, "timeout_tunnel"}, // past 2147483647 ms
		{"scaleway_lb_backend", attributes{"lb_id": "my-balancer"}, "lb_id"},
		{"scaleway_lb_backend", attributes{"lb_id": unknown{}}, ""},
		{"scaleway_lb_backend", attributes{"forward_port": int64(65536)}, "forward_port"},
		{"scaleway_lb_frontend", attributes{"external_acls": true, "acl": []any{attributes{}}}, "external_acls"},
		{"scaleway_lb_frontend", attributes{"external_acls": false, "acl": []any{attributes{}}}, ""},
		{"scaleway_lb_acl", attributes{"action": []any{attributes{"type": "refuse"}}}, "action.type"},
		{"scaleway_block_volume", attributes{"iops": int64(7000)}, "iops"},
		{"scaleway_block_volume", attributes{"iops": int64(15000)}, ""},
		{"scaleway_instance_server", attributes{"ip_ids": []any{id, "198.51.100.7"}}, "ip_ids"},
		{"scaleway_instance_security_group", attributes{"inbound_rule": []any{attributes{"ip_range": "10.0.0.1/8"}}}, "inbound_rule.ip_range"},
	} {
		var named []string
		for _, complaint := range configurationComplaints(row.resource, row.config) {
			named = append(named, complaint.attribute)
		}
		if got := strings.Join(named, " "); got != row.complains {
			t.Errorf("%s %v: complains of %q, want %q", row.resource, row.config, got, row.complains)
		}
	}
}

func TestPlanFillsDefaultsAndUnknowns(t *testing.T) {
	all, err := loadSchemas()
	if err != nil {
		t.Fatal(err)
	}
	block := all.recorded["scaleway_instance_server"].Block
	planned := plannedCreate("scaleway_instance_server", block, attributes{"type": "PLAY2-NANO", "zone": "fr-par-1"})
	for name, want := range map[string]any{
		"type": "PLAY2-NANO", "boot_type": "local", "id": unknown{}, "public_ips": unknown{}, "image": nil,
	} {
		if !reflect.DeepEqual(planned[name], want) {
			t.Errorf("%s is planned as %v, want %v", name, planned[name], want)
		}
	}
	prior := attributes{
		"zone": "fr-par-1", "image": "debian_bookworm", "project_id": nil,
		"public_ips": []any{attributes{"address": "198.51.100.7"}},
	}
	next := plannedUpdate("scaleway_instance_server", block, prior, attributes{"zone": "fr-par-2", "image": "debian_bookworm"})
	if !reflect.DeepEqual(next["public_ips"], prior["public_ips"]) {
		t.Errorf("an update forgets public_ips: %v", next["public_ips"])
	}
	if got := replacements("scaleway_instance_server", prior, next); !reflect.DeepEqual(got, []string{"zone"}) {
		t.Errorf("replaced because of %v, want zone", got)
	}
}

func TestValuesSurviveBothWays(t *testing.T) {
	kind := tftypes.Object{AttributeTypes: map[string]tftypes.Type{
		"name": tftypes.String, "size": tftypes.Number, "on": tftypes.Bool, "open": tftypes.String,
		"tags":  tftypes.List{ElementType: tftypes.String},
		"rules": tftypes.Set{ElementType: tftypes.Object{AttributeTypes: map[string]tftypes.Type{"port": tftypes.Number}}},
		"user":  tftypes.Map{ElementType: tftypes.String},
	}}
	fields := attributes{
		"name": "a", "size": int64(20), "on": true, "open": unknown{}, "tags": []any{"x", nil},
		"rules": []any{attributes{"port": int64(22)}}, "user": attributes{"k": "v"},
	}
	value, err := typed(kind, fields)
	if err != nil {
		t.Fatal(err)
	}
	back, err := plain(value)
	if err != nil || !reflect.DeepEqual(back, fields) {
		t.Errorf("came back as %v (%v), want %v", back, err, fields)
	}
	done, err := settled(value)
	if err != nil {
		t.Fatal(err)
	}
	if back, _ = plain(done); back.(attributes)["open"] != "" {
		t.Errorf("unknown settles as %v, want an empty string", back.(attributes)["open"])
	}
}

// The balancer's configuration says everything that Terraform said of it.
func TestHAProxyConfig(t *testing.T) {
	all := records{
		"fr-par-1/lb-1": {"scaleway_lb", attributes{"id": "fr-par-1/lb-1", "ip_address": "198.51.100.7"}},
		"fr-par-1/be-2": {"scaleway_lb_backend", attributes{
			"id": "fr-par-1/be-2", "lb_id": "fr-par-1/lb-1", "name": "mqtt", "forward_port": int64(1883),
			"forward_port_algorithm": "leastconn", "proxy_protocol": "v2", "server_ips": []any{"10.73.0.10"},
			"timeout_connect": "5s", "timeout_server": "28h", "timeout_tunnel": "28h", "max_retries": int64(3),
			"redispatch_attempt_count": int64(1), "health_check_timeout": "3s", "health_check_delay": "5s",
			"health_check_transient_delay": "3s", "health_check_max_retries": int64(2), "health_check_port": int64(9883),
			"health_check_http":     []any{attributes{"uri": "/readyz", "method": "GET", "code": int64(200)}},
			"on_marked_down_action": "shutdown_sessions",
		}},
		"fr-par-1/fe-3": {"scaleway_lb_frontend", attributes{
			"id": "fr-par-1/fe-3", "lb_id": "fr-par-1/lb-1", "backend_id": "fr-par-1/be-2", "name": "mqtt",
			"inbound_port": int64(1883), "timeout_client": "28h", "connection_rate_limit": int64(500),
		}},
		"fr-par-1/acl-4": {"scaleway_lb_acl", attributes{
			"id": "fr-par-1/acl-4", "frontend_id": "fr-par-1/fe-3", "index": int64(0),
			"action": []any{attributes{"type": "deny"}},
			"match":  []any{attributes{"invert": true, "ip_subnet": []any{"192.0.2.0/24"}}},
		}},
	}
	config := haproxyConfig(all, "fr-par-1/lb-1")
	for _, line := range []string{
		"backend mqtt-2\n  balance leastconn\n",
		"  timeout tunnel 100800000ms\n", "  timeout check 3000ms\n", "  retries 3\n", "  option redispatch 1\n",
		"  option httpchk GET /readyz\n  http-check expect status 200\n",
		"  server 10.73.0.10 10.73.0.10:1883 check port 9883 inter 5000ms fastinter 3000ms fall 2 on-marked-down shutdown-sessions send-proxy-v2\n",
		"frontend mqtt-3\n  bind 198.51.100.7:1883\n  timeout client 100800000ms\n  rate-limit sessions 500\n",
		"  tcp-request connection reject unless { src 192.0.2.0/24 }\n  default_backend mqtt-2\n",
	} {
		if !strings.Contains(config, line) {
			t.Errorf("lacks %q in\n%s", line, config)
		}
	}
}

func TestReferences(t *testing.T) {
	all := records{
		"fr-par-1/v": {"scaleway_block_volume", attributes{"zone": "fr-par-1"}},
		"fr-par-1/i": {"scaleway_instance_ip", attributes{"zone": "fr-par-1"}},
	}
	for _, row := range []struct {
		fields attributes
		wrong  bool
	}{
		{attributes{"zone": "fr-par-1", "additional_volume_ids": []any{"fr-par-1/v"}, "ip_ids": []any{"fr-par-1/i"}}, false},
		{attributes{"zone": "fr-par-2", "additional_volume_ids": []any{"fr-par-1/v"}}, true}, // another zone
		{attributes{"zone": "fr-par-1", "additional_volume_ids": []any{"fr-par-1/i"}}, true}, // another kind
		{attributes{"zone": "fr-par-1", "additional_volume_ids": []any{"fr-par-1/x"}}, true}, // nothing
	} {
		if err := checkReferences(all, "scaleway_instance_server", row.fields); (err != nil) != row.wrong {
			t.Errorf("%v: %v", row.fields, err)
		}
	}
	all["fr-par-1/s"] = record{"scaleway_instance_server", attributes{"ip_ids": []any{"fr-par-1/i"}}}
	if userOf(all, "fr-par-1/i") == "" || userOf(all, "fr-par-1/v") != "" {
		t.Error("what is used may not be deleted, and what is not may")
	}
}
