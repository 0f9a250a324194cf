# The one public door: TCP is passed through, the broker ends TLS and learns the client's address by PROXY protocol.

locals {
  lb_zone = var.zones[0]

  listeners = {
    for name, ports in {
      mqtt  = { public = 1883, node = 1883 }
      mqtts = { public = 8883, node = 8883 }
      wss   = { public = 443, node = 8084 }
    } : name => ports if contains(var.listeners, name)
  }
  admin_port = 9883

  # MQTT closes a connection after one and a half keep-alives; the balancer must be the more patient of the two. A
  # minute on top, so that the two never race.
  idle_timeout = "${ceil(var.keepalive_max * 1.5) + 60}s"
}

resource "scaleway_lb_ip" "this" {
  zone       = local.lb_zone
  project_id = var.project_id
  tags       = var.tags
}

# Reserved: the nodes' firewall and the broker trust this address, and no other, to speak for clients.
resource "scaleway_ipam_ip" "lb" {
  region     = var.region
  project_id = var.project_id
  tags       = var.tags

  source {
    private_network_id = scaleway_vpc_private_network.this.id
  }
}

resource "scaleway_lb" "this" {
  name       = var.name
  type       = var.lb_type
  zone       = local.lb_zone
  project_id = var.project_id
  tags       = var.tags
  ip_ids     = [scaleway_lb_ip.this.id]

  private_network {
    private_network_id = scaleway_vpc_private_network.this.id
    ipam_ids           = [scaleway_ipam_ip.lb.id]
  }
}

resource "scaleway_lb_backend" "listener" {
  for_each = local.listeners

  lb_id                  = scaleway_lb.this.id
  name                   = "${var.name}-${each.key}"
  forward_protocol       = "tcp"
  forward_port           = each.value.node
  forward_port_algorithm = "leastconn"
  proxy_protocol         = "v2"
  server_ips             = [for name in keys(local.nodes) : scaleway_ipam_ip.node[name].address]

  timeout_connect = "2s" # of a health check too
  timeout_server  = local.idle_timeout
  timeout_tunnel  = local.idle_timeout

  # A node that refuses a connection, as one that drains does, is not asked again for the same one.
  redispatch_attempt_count = 1

  # A frozen process still accepts TCP, so the broker itself must answer. Dead within 5 + 2 + 3 + 2 = 12 s at worst:
  # the rest of an interval, a timeout, the shorter wait after a first failure, a timeout (of the connection where the
  # machine is gone, of the answer where it is frozen).
  health_check_port            = local.admin_port
  health_check_delay           = "5s"
  health_check_timeout         = "2s"
  health_check_transient_delay = "3s"
  health_check_max_retries     = 2
  health_check_send_proxy      = false

  health_check_http {
    uri    = "/readyz"
    method = "GET"
    code   = 200
  }

  # Without this the clients of a dead node wait for their own keep-alive before they go elsewhere.
  on_marked_down_action = "shutdown_sessions"
}

resource "scaleway_lb_frontend" "listener" {
  for_each = local.listeners

  lb_id                 = scaleway_lb.this.id
  backend_id            = scaleway_lb_backend.listener[each.key].id
  name                  = "${var.name}-${each.key}"
  inbound_port          = each.value.public
  timeout_client        = local.idle_timeout
  connection_rate_limit = var.connection_rate_limit

  # Without it every plan removes the ACL below, and the next one brings it back.
  external_acls = true
}

# One rule, turned around: two in a row would stand open between the first and the second.
resource "scaleway_lb_acl" "listener" {
  for_each = local.listeners

  frontend_id = scaleway_lb_frontend.listener[each.key].id
  name        = "${var.name}-${each.key}-clients"
  description = "Deny whoever is not in client_allowed_cidrs"
  index       = 0

  action {
    type = "deny"
  }

  match {
    ip_subnet = var.client_allowed_cidrs
    invert    = true
  }
}

resource "scaleway_domain_record" "this" {
  count = var.dns_zone == null ? 0 : 1

  dns_zone   = var.dns_zone
  name       = coalesce(var.dns_name, var.name)
  type       = "A"
  data       = scaleway_lb_ip.this.ip_address
  ttl        = 300
  project_id = var.project_id
}
