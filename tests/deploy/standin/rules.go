package main

// What a schema cannot say, by resource: the provider's defaults, what forces a replacement, and which values it
// refuses. Attributes inside of nested blocks are named block.attribute.
type rule struct {
	defaults map[string]any
	replaces []string // a change of one of these is a destroy and a create
	oneOf    map[string][]string
	integers map[string][]int64  // allowed numbers, where there are few
	between  map[string][2]int64 // inclusive
	lengths  []string            // durations: Go's notation, not negative
	refs     map[string]string   // attribute (or list) of ids -> the resource type that it must name
	subnets  []string            // CIDR notation with no host bits set
	apart    [][2]string         // never both
}

var (
	zones      = []string{"fr-par-1", "fr-par-2", "fr-par-3", "nl-ams-1", "nl-ams-2", "nl-ams-3", "pl-waw-1", "pl-waw-2", "pl-waw-3", "it-mil-1"}
	regions    = []string{"fr-par", "nl-ams", "pl-waw", "it-mil"}
	portRange  = [2]int64{0, 65535}
	acceptDrop = []string{"accept", "drop"}
)

var rules = map[string]rule{
	"scaleway_iam_ssh_key": {
		defaults: map[string]any{"disabled": false},
		replaces: []string{"public_key", "project_id"},
	},
	"scaleway_vpc": {replaces: []string{"region"}, oneOf: map[string][]string{"region": regions}},
	"scaleway_vpc_private_network": {
		replaces: []string{"ipv4_subnet.subnet", "vpc_id", "region"},
		oneOf:    map[string][]string{"region": regions},
		refs:     map[string]string{"vpc_id": "scaleway_vpc"},
		subnets:  []string{"ipv4_subnet.subnet"},
	},
	"scaleway_ipam_ip": {
		defaults: map[string]any{"is_ipv6": false},
		replaces: []string{"address", "is_ipv6", "region", "source.private_network_id", "source.zonal", "source.subnet_id"},
		oneOf:    map[string][]string{"region": regions},
		refs:     map[string]string{"source.private_network_id": "scaleway_vpc_private_network"},
	},
	"scaleway_instance_ip": {
		replaces: []string{"type", "zone"},
		oneOf:    map[string][]string{"zone": zones, "type": {"routed_ipv4", "routed_ipv6"}},
	},
	"scaleway_instance_placement_group": {
		defaults: map[string]any{"policy_type": "max_availability", "policy_mode": "optional"},
		replaces: []string{"zone", "project_id"},
		oneOf: map[string][]string{
			"zone": zones, "policy_type": {"max_availability", "low_latency"}, "policy_mode": {"optional", "enforced"},
		},
	},
	"scaleway_instance_security_group": {
		defaults: map[string]any{
			"stateful": true, "inbound_default_policy": "accept", "outbound_default_policy": "accept",
			"external_rules": false, "enable_default_security": true,
			"inbound_rule.protocol": "TCP", "outbound_rule.protocol": "TCP",
		},
		replaces: []string{"zone", "project_id"},
		oneOf: map[string][]string{
			"zone": zones, "inbound_default_policy": acceptDrop, "outbound_default_policy": acceptDrop,
			"inbound_rule.action": acceptDrop, "outbound_rule.action": acceptDrop,
			"inbound_rule.protocol": {"TCP", "UDP", "ICMP", "ANY"}, "outbound_rule.protocol": {"TCP", "UDP", "ICMP", "ANY"},
		},
		between: map[string][2]int64{"inbound_rule.port": portRange, "outbound_rule.port": portRange},
		subnets: []string{"inbound_rule.ip_range", "outbound_rule.ip_range"},
		apart:   [][2]string{{"external_rules", "inbound_rule"}, {"external_rules", "outbound_rule"}},
	},
	"scaleway_block_volume": {
		replaces: []string{"zone", "project_id", "snapshot_id", "instance_volume_id"},
		oneOf:    map[string][]string{"zone": zones},
		integers: map[string][]int64{"iops": {5000, 15000}},
		between:  map[string][2]int64{"size_in_gb": {5, 10000}},
	},
	"scaleway_instance_server": {
		defaults: map[string]any{
			"protected": false, "replace_on_type_change": false, "enable_dynamic_ip": false, "boot_type": "local",
			"root_volume.delete_on_termination": true, "root_volume.boot": false,
		},
		replaces: []string{"zone", "project_id", "image", "root_volume.volume_type"},
		oneOf: map[string][]string{
			"zone": zones, "state": {"started", "stopped", "standby"}, "boot_type": {"local", "rescue"},
			"root_volume.volume_type": {"l_ssd", "sbs_volume"},
		},
		refs: map[string]string{
			"ip_ids": "scaleway_instance_ip", "security_group_id": "scaleway_instance_security_group",
			"placement_group_id": "scaleway_instance_placement_group", "additional_volume_ids": "scaleway_block_volume",
		},
		apart: [][2]string{{"ip_id", "ip_ids"}},
	},
	"scaleway_instance_private_nic": {
		replaces: []string{"server_id", "private_network_id", "ipam_ip_ids", "zone"},
		oneOf:    map[string][]string{"zone": zones},
		refs: map[string]string{
			"server_id": "scaleway_instance_server", "private_network_id": "scaleway_vpc_private_network",
			"ipam_ip_ids": "scaleway_ipam_ip",
		},
	},
	"scaleway_lb_ip": {
		defaults: map[string]any{"is_ipv6": false},
		replaces: []string{"zone", "is_ipv6"},
		oneOf:    map[string][]string{"zone": zones},
	},
	"scaleway_lb": {
		defaults: map[string]any{
			"external_private_networks": false, "ssl_compatibility_level": "ssl_compatibility_level_intermediate",
		},
		replaces: []string{"zone", "project_id", "assign_flexible_ip"},
		oneOf:    map[string][]string{"zone": zones, "type": {"LB-S", "LB-GP-M", "LB-GP-L", "LB-GP-XL"}},
		refs: map[string]string{
			"ip_ids": "scaleway_lb_ip", "private_network.private_network_id": "scaleway_vpc_private_network",
			"private_network.ipam_ids": "scaleway_ipam_ip",
		},
		apart: [][2]string{{"ip_ids", "assign_flexible_ip"}, {"private_network", "external_private_networks"}},
	},
	"scaleway_lb_backend": {
		defaults: map[string]any{
			"forward_port_algorithm": "roundrobin", "sticky_sessions": "none", "proxy_protocol": "none",
			"timeout_server": "5m", "timeout_connect": "5s", "timeout_tunnel": "15m", "timeout_queue": "0s",
			"health_check_timeout": "30s", "health_check_delay": "60s", "health_check_max_retries": int64(2),
			"health_check_transient_delay": "0.5s", "health_check_send_proxy": false,
			"health_check_http.method": "GET", "health_check_http.code": int64(200),
			"on_marked_down_action": "none", "ssl_bridging": false, "ignore_ssl_server_verify": false,
			"max_retries": int64(3),
		},
		replaces: []string{"lb_id"},
		oneOf: map[string][]string{
			"forward_protocol": {"tcp", "http"}, "forward_port_algorithm": {"roundrobin", "leastconn", "first"},
			"sticky_sessions": {"none", "cookie", "table"}, "proxy_protocol": {"none", "v1", "v2", "v2_ssl", "v2_ssl_cn"},
			"on_marked_down_action": {"none", "shutdown_sessions"},
		},
		between: map[string][2]int64{"forward_port": portRange, "health_check_port": portRange},
		lengths: []string{
			"timeout_server", "timeout_connect", "timeout_tunnel", "timeout_queue",
			"health_check_timeout", "health_check_delay", "health_check_transient_delay",
		},
		refs: map[string]string{"lb_id": "scaleway_lb"},
		apart: [][2]string{
			{"health_check_tcp", "health_check_http"}, {"health_check_tcp", "health_check_https"},
			{"health_check_http", "health_check_https"},
		},
	},
	"scaleway_lb_frontend": {
		defaults: map[string]any{"external_acls": false, "enable_http3": false, "enable_access_logs": false},
		replaces: []string{"lb_id", "backend_id"},
		between:  map[string][2]int64{"inbound_port": portRange},
		lengths:  []string{"timeout_client"},
		refs:     map[string]string{"lb_id": "scaleway_lb", "backend_id": "scaleway_lb_backend"},
		apart:    [][2]string{{"external_acls", "acl"}},
	},
	"scaleway_lb_acl": {
		defaults: map[string]any{"match.http_filter": "acl_http_filter_none"},
		replaces: []string{"frontend_id"},
		oneOf:    map[string][]string{"action.type": {"allow", "deny", "redirect"}},
		between:  map[string][2]int64{"index": {0, 1 << 31}},
		refs:     map[string]string{"frontend_id": "scaleway_lb_frontend"},
		subnets:  []string{"match.ip_subnet"},
	},
	"scaleway_domain_record": {
		defaults: map[string]any{"ttl": int64(3600)},
		replaces: []string{"dns_zone", "name", "type"},
		oneOf:    map[string][]string{"type": {"A", "AAAA", "CNAME", "TXT", "SRV"}},
		between:  map[string][2]int64{"ttl": {60, 2592000}},
	},
}
