# The network, the nodes and their disks.

locals {
  # Keyed by name, so that taking away the last one never touches another.
  nodes = {
    for i in range(var.node_count) : "node${i + 1}" => { zone = var.zones[i % length(var.zones)] }
  }
  zones_in_use = toset([for node in local.nodes : node.zone])
}

resource "scaleway_iam_ssh_key" "this" {
  count = var.manage_ssh_key ? 1 : 0

  name       = var.name
  public_key = trimspace(var.ssh_public_key)
  project_id = var.project_id
}

resource "scaleway_vpc" "this" {
  name       = var.name
  region     = var.region
  project_id = var.project_id
  tags       = var.tags
}

resource "scaleway_vpc_private_network" "this" {
  name       = var.name
  vpc_id     = scaleway_vpc.this.id
  region     = var.region
  project_id = var.project_id
  tags       = var.tags

  ipv4_subnet {
    subnet = var.private_subnet
  }
}

# Reserved, so that a node that is replaced keeps the address by which its peers and the balancer know it.
resource "scaleway_ipam_ip" "node" {
  for_each = local.nodes

  region     = var.region
  project_id = var.project_id
  tags       = var.tags

  source {
    private_network_id = scaleway_vpc_private_network.this.id
  }
}

resource "scaleway_instance_ip" "node" {
  for_each = local.nodes

  type       = "routed_ipv4"
  zone       = each.value.zone
  project_id = var.project_id
  tags       = var.tags
}

# The public side. MQTT needs no rule: it comes through the balancer, over the private network, which these groups do
# not filter (the playbook's firewall does).
resource "scaleway_instance_security_group" "node" {
  for_each = local.zones_in_use

  name                    = "${var.name}-${each.key}"
  description             = "SSH from the given ranges, nothing else"
  zone                    = each.key
  project_id              = var.project_id
  tags                    = var.tags
  stateful                = true
  inbound_default_policy  = "drop"
  outbound_default_policy = "accept"

  dynamic "inbound_rule" {
    for_each = var.ssh_allowed_cidrs
    content {
      action   = "accept"
      protocol = "TCP"
      port     = 22
      ip_range = inbound_rule.value
    }
  }
}

# Nodes of one zone on different machines. Not enforced: a full zone would then refuse to start a node at all.
resource "scaleway_instance_placement_group" "node" {
  for_each = local.zones_in_use

  name        = "${var.name}-${each.key}"
  zone        = each.key
  project_id  = var.project_id
  tags        = var.tags
  policy_type = "max_availability"
  policy_mode = "optional"
}

# A resource of its own, so that it outlives its instance; named by the node, so that it goes when the node goes.
resource "scaleway_block_volume" "data" {
  for_each = local.nodes

  name       = "${var.name}-${each.key}-data"
  zone       = each.value.zone
  project_id = var.project_id
  tags       = var.tags
  size_in_gb = var.data_volume_gb
  iops       = var.data_volume_iops
}

resource "scaleway_instance_server" "node" {
  for_each = local.nodes

  name                  = "${var.name}-${each.key}"
  type                  = var.node_type
  image                 = var.instance_image
  zone                  = each.value.zone
  project_id            = var.project_id
  tags                  = var.tags
  ip_ids                = [scaleway_instance_ip.node[each.key].id]
  security_group_id     = scaleway_instance_security_group.node[each.value.zone].id
  placement_group_id    = scaleway_instance_placement_group.node[each.value.zone].id
  additional_volume_ids = [scaleway_block_volume.data[each.key].id]

  root_volume {
    volume_type           = "sbs_volume"
    size_in_gb            = var.root_volume_gb
    delete_on_termination = true
  }

  # An instance takes the project's keys at its first boot.
  depends_on = [scaleway_iam_ssh_key.this]
}

resource "scaleway_instance_private_nic" "node" {
  for_each = local.nodes

  zone               = each.value.zone
  server_id          = scaleway_instance_server.node[each.key].id
  private_network_id = scaleway_vpc_private_network.this.id
  ipam_ip_ids        = [scaleway_ipam_ip.node[each.key].id]
  tags               = var.tags
}
