# What a schema cannot say: the values that make the cluster closed, spread and quick to notice a dead node. Applied
# to the stand-in's remembered world, so that addresses and identifiers are values and not unknown.

variables {
  ssh_public_key       = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtestkeytestkeytestkeytestkeytestkeytest you@host"
  ssh_allowed_cidrs    = ["203.0.113.0/24", "198.51.100.7/32"]
  client_allowed_cidrs = ["192.0.2.0/24"]
  admin_allowed_cidrs  = ["10.73.0.50/32"]
  password_file        = "./versions.tf" # any file that exists: only its path and digest are looked at
  shoal_image          = "shoal:test"
  run_ansible          = false
  local_dir            = "./local"
  dns_zone             = "example.org"
}

run "three" {
  command = apply

  assert {
    condition     = [for n in ["node1", "node2", "node3"] : scaleway_instance_server.node[n].zone] == ["fr-par-1", "fr-par-2", "fr-par-3"]
    error_message = "three nodes must stand in three zones"
  }
  assert {
    condition = alltrue([for n in ["node1", "node2", "node3"] :
      scaleway_instance_placement_group.node[scaleway_instance_server.node[n].zone].id == scaleway_instance_server.node[n].placement_group_id &&
      scaleway_instance_security_group.node[scaleway_instance_server.node[n].zone].id == scaleway_instance_server.node[n].security_group_id
    ])
    error_message = "a node must be in the placement and security groups of its own zone"
  }
  assert {
    condition     = alltrue([for g in values(scaleway_instance_placement_group.node) : g.policy_type == "max_availability"])
    error_message = "nodes of a zone must be kept on different machines"
  }
  assert {
    condition     = length(scaleway_instance_security_group.node) == 3 && alltrue([for g in values(scaleway_instance_security_group.node) : g.inbound_default_policy == "drop" && g.stateful])
    error_message = "the public side must be closed by default"
  }
  assert {
    condition = alltrue([for g in values(scaleway_instance_security_group.node) :
      [for r in g.inbound_rule : "${r.action} ${r.protocol} ${r.port} ${r.ip_range}"] == ["accept TCP 22 203.0.113.0/24", "accept TCP 22 198.51.100.7/32"]
    ])
    error_message = "only SSH, and only from the given ranges, may be open"
  }
  assert {
    condition     = alltrue([for n in ["node1", "node2", "node3"] : scaleway_instance_server.node[n].additional_volume_ids == tolist([scaleway_block_volume.data[n].id])])
    error_message = "a node must have its own data volume"
  }
  assert {
    condition     = alltrue([for n in ["node1", "node2", "node3"] : scaleway_block_volume.data[n].iops == 5000 && scaleway_block_volume.data[n].zone == scaleway_instance_server.node[n].zone])
    error_message = "a data volume must be in its node's zone"
  }
  assert {
    condition     = alltrue([for n in ["node1", "node2", "node3"] : scaleway_instance_private_nic.node[n].ipam_ip_ids == tolist([scaleway_ipam_ip.node[n].id])])
    error_message = "a node must have its reserved address on the private network"
  }
  assert {
    condition     = alltrue([for n in ["node1", "node2", "node3"] : cidrhost("${scaleway_ipam_ip.node[n].address}/24", 0) == "10.73.0.0"])
    error_message = "private addresses must come from private_subnet"
  }

  # The load balancer.
  assert {
    condition     = { for k, f in scaleway_lb_frontend.listener : k => f.inbound_port } == { mqtt = 1883, mqtts = 8883, wss = 443 }
    error_message = "public ports"
  }
  assert {
    condition     = { for k, b in scaleway_lb_backend.listener : k => b.forward_port } == { mqtt = 1883, mqtts = 8883, wss = 8084 }
    error_message = "ports on the nodes"
  }
  assert {
    condition = alltrue([for b in values(scaleway_lb_backend.listener) :
      sort(b.server_ips) == sort([for n in ["node1", "node2", "node3"] : scaleway_ipam_ip.node[n].address])
    ])
    error_message = "every listener must lead to every node's private address"
  }
  assert {
    condition = alltrue([for b in values(scaleway_lb_backend.listener) :
      b.forward_protocol == "tcp" && b.proxy_protocol == "v2" && b.forward_port_algorithm == "leastconn" && b.on_marked_down_action == "shutdown_sessions"
    ])
    error_message = "TCP passed through with PROXY protocol v2, and the sessions of a dead node cut"
  }
  assert {
    condition = alltrue([for b in values(scaleway_lb_backend.listener) :
      b.health_check_port == 9883 && b.health_check_delay == "5s" && b.health_check_timeout == "2s" && b.timeout_connect == "2s" && b.health_check_max_retries == 2 &&
      b.health_check_transient_delay == "3s" && !b.health_check_send_proxy &&
      b.health_check_http[0].uri == "/readyz" && b.health_check_http[0].method == "GET" && b.health_check_http[0].code == 200
    ])
    error_message = "the broker itself must answer the health check, often enough to notice a frozen node within 15 s"
  }
  assert {
    # 1.5 x 65535 s is what MQTT's longest keep-alive allows a client to be silent.
    condition = alltrue([for k in ["mqtt", "mqtts", "wss"] :
      alltrue([for t in [scaleway_lb_backend.listener[k].timeout_server, scaleway_lb_backend.listener[k].timeout_tunnel, scaleway_lb_frontend.listener[k].timeout_client] :
      tonumber(trimsuffix(t, "s")) > 1.5 * 65535])
    ])
    error_message = "the balancer must be more patient than the longest keep-alive"
  }
  assert {
    condition     = alltrue([for f in values(scaleway_lb_frontend.listener) : f.external_acls && f.connection_rate_limit == 500])
    error_message = "ACLs are resources of their own, and new connections have a limit"
  }
  assert {
    condition = alltrue([for k in ["mqtt", "mqtts", "wss"] :
      scaleway_lb_acl.listener[k].frontend_id == scaleway_lb_frontend.listener[k].id && scaleway_lb_acl.listener[k].action[0].type == "deny" &&
      scaleway_lb_acl.listener[k].match[0].invert && scaleway_lb_acl.listener[k].match[0].ip_subnet == tolist(["192.0.2.0/24"])
    ])
    error_message = "whoever is not in client_allowed_cidrs must be denied on every listener"
  }
  assert {
    condition     = one(scaleway_lb.this.private_network).ipam_ids == tolist([scaleway_ipam_ip.lb.id]) && scaleway_lb.this.ip_ids == tolist([scaleway_lb_ip.this.id])
    error_message = "the balancer must have its reserved addresses"
  }

  # The inventory.
  assert {
    condition     = output.inventory.all.children.shoal.vars.shoal_seeds == [for n in ["node1", "node2", "node3"] : scaleway_ipam_ip.node[n].address]
    error_message = "the first three nodes are the seeds"
  }
  assert {
    condition     = output.inventory.all.children.shoal.vars.shoal_balancer_addresses == [scaleway_ipam_ip.lb.address]
    error_message = "the balancer's private address is the only one that may speak for clients"
  }
  assert {
    condition     = output.inventory.all.children.shoal.hosts["shoal-node2"].shoal_data_device == "/dev/disk/by-id/scsi-0SCW_sbs_volume-${split("/", scaleway_block_volume.data["node2"].id)[1]}"
    error_message = "the data volume is found by its identifier"
  }
  assert {
    condition     = output.endpoint == "shoal.example.org" && scaleway_domain_record.this[0].data == scaleway_lb_ip.this.ip_address
    error_message = "the DNS record must name the balancer"
  }
  assert {
    condition     = startswith(output.try_it, "mosquitto_pub -h shoal.example.org -p 8883 --cafile ") && endswith(output.try_it, "/local/pki/tls-ca.crt -u USER -P PASSWORD -t hello -m world -q 1")
    error_message = "the line to try must work as printed"
  }
}

run "four_keeps_the_seeds" {
  command = apply
  variables {
    node_count = 4
  }
  assert {
    condition     = output.inventory.all.children.shoal.vars.shoal_seeds == [for n in ["node1", "node2", "node3"] : scaleway_ipam_ip.node[n].address]
    error_message = "a changed list of seeds would be a changed configuration on every node"
  }
  assert {
    condition     = scaleway_instance_server.node["node4"].zone == "fr-par-1"
    error_message = "the fourth node starts the second round of the zones"
  }
}

run "only_tls_for_short_keepalives" {
  command = apply
  variables {
    listeners     = ["mqtts"]
    keepalive_max = 60
  }
  assert {
    condition     = join(" ", keys(scaleway_lb_frontend.listener)) == "mqtts" && join(" ", keys(output.ports)) == "mqtts"
    error_message = "a listener that was not asked for must not be open"
  }
  assert {
    condition     = scaleway_lb_backend.listener["mqtts"].timeout_tunnel == "150s"
    error_message = "one and a half keep-alives and a minute"
  }
}
