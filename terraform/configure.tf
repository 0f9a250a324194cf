# From machines to a cluster: the inventory, and Ansible as a part of apply.

locals {
  local_dir      = var.local_dir == null ? pathexpand("~/.shoal/${var.name}") : abspath(pathexpand(var.local_dir))
  inventory_file = "${local.local_dir}/inventory.json"
  ansible_dir    = abspath("${path.module}/../ansible")
  endpoint       = var.dns_zone == null ? scaleway_lb_ip.this.ip_address : "${coalesce(var.dns_name, var.name)}.${var.dns_zone}"

  # The first three nodes found the cluster and are whom a new node asks. Not more: a list of all would change, and
  # restart everybody, whenever a node is added.
  founders = [for i in range(min(3, var.node_count)) : "node${i + 1}"]

  host_vars = {
    for name, node in local.nodes : "${var.name}-${name}" => {
      ansible_host          = scaleway_instance_ip.node[name].address
      shoal_zone            = node.zone
      shoal_private_address = scaleway_ipam_ip.node[name].address
      shoal_data_device     = "/dev/disk/by-id/scsi-0SCW_sbs_volume-${element(split("/", scaleway_block_volume.data[name].id), 1)}"
      # A replaced instance has another host key, and is known under another name.
      shoal_host_key_alias = element(split("/", scaleway_instance_server.node[name].id), 1)
    }
  }

  group_vars = merge(
    {
      ansible_user               = "root"
      shoal_local_dir            = local.local_dir
      shoal_cluster              = var.name
      shoal_image                = var.shoal_image
      shoal_image_archive        = var.image_archive == null ? "" : abspath(pathexpand(var.image_archive))
      shoal_password_file        = abspath(pathexpand(var.password_file))
      shoal_acl_file             = var.acl_file == null ? "" : abspath(pathexpand(var.acl_file))
      shoal_tls_certificate_file = var.tls_certificate_file == null ? "" : abspath(pathexpand(var.tls_certificate_file))
      shoal_tls_key_file         = var.tls_key_file == null ? "" : abspath(pathexpand(var.tls_key_file))
      shoal_tls_names            = distinct([local.endpoint, scaleway_lb_ip.this.ip_address])
      shoal_seeds                = [for name in local.founders : scaleway_ipam_ip.node[name].address]
      shoal_listeners            = { for name, ports in local.listeners : name => ports.node }
      shoal_balancer_addresses   = [scaleway_ipam_ip.lb.address]
      shoal_admin_cidrs          = var.admin_allowed_cidrs
      shoal_keepalive_max        = var.keepalive_max
      shoal_settings             = var.shoal_settings
    },
    var.ssh_private_key_file == null ? {} : { ansible_ssh_private_key_file = abspath(pathexpand(var.ssh_private_key_file)) },
    var.ansible_vars,
  )

  inventory = {
    all = { children = { shoal = { hosts = local.host_vars, vars = local.group_vars } } }
  }
}

# One for each node, gone before anything else of the node goes: by then its clients and its part of the cluster have
# moved away. A destroy provisioner sees only what its resource was given.
resource "terraform_data" "member" {
  for_each = local.nodes

  input = {
    name        = "${var.name}-${each.key}"
    local_dir   = local.local_dir
    ansible_dir = local.ansible_dir
    enabled     = var.run_ansible
  }

  provisioner "local-exec" {
    when    = destroy
    command = self.input.enabled ? "sh \"$ANSIBLE_DIR/run\" \"$LOCAL_DIR\" scale_in.yml -e \"shoal_leaving=$NODE\"" : "true"
    environment = {
      ANSIBLE_DIR = self.input.ansible_dir
      LOCAL_DIR   = self.input.local_dir
      NODE        = self.input.name
    }
  }

  depends_on = [
    scaleway_instance_private_nic.node,
    scaleway_instance_security_group.node,
    scaleway_lb_acl.listener,
    scaleway_lb_frontend.listener,
  ]
}

# Destroyed before the members and only when all of them go: then nobody is left to move clients to, and draining node
# after node would only take time.
resource "terraform_data" "whole" {
  input = { local_dir = local.local_dir }

  provisioner "local-exec" {
    command     = "mkdir -p \"$LOCAL_DIR\" && rm -f \"$LOCAL_DIR/going\""
    environment = { LOCAL_DIR = self.input.local_dir }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "mkdir -p \"$LOCAL_DIR\" && touch \"$LOCAL_DIR/going\""
    environment = { LOCAL_DIR = self.input.local_dir }
  }

  depends_on = [terraform_data.member]
}

# Written after the leaving members are gone: their playbook still needs them in it.
resource "terraform_data" "inventory" {
  triggers_replace = sha256(jsonencode(local.inventory))

  provisioner "local-exec" {
    command = "umask 077 && mkdir -p \"$LOCAL_DIR\" && printf '%s\\n' \"$INVENTORY\" > \"$LOCAL_DIR/inventory.json\""
    environment = {
      LOCAL_DIR = local.local_dir
      INVENTORY = jsonencode(local.inventory)
    }
  }

  depends_on = [terraform_data.member, terraform_data.whole]
}

# Everything that the playbook reads: a change of any runs it again. Of secrets' files only digests of what is public
# or hashed already are here; a private key is never read.
resource "terraform_data" "cluster" {
  count = var.run_ansible ? 1 : 0

  triggers_replace = {
    inventory     = sha256(jsonencode(local.inventory))
    playbook      = sha256(join("", [for f in sort(fileset(local.ansible_dir, "**")) : filesha256("${local.ansible_dir}/${f}")]))
    image_archive = var.image_archive == null ? "" : filesha256(pathexpand(var.image_archive))
    password_file = filesha256(pathexpand(var.password_file))
    acl_file      = var.acl_file == null ? "" : filesha256(pathexpand(var.acl_file))
    certificate   = var.tls_certificate_file == null ? "" : filesha256(pathexpand(var.tls_certificate_file))
  }

  provisioner "local-exec" {
    command = "sh \"$ANSIBLE_DIR/run\" \"$LOCAL_DIR\" site.yml"
    environment = {
      ANSIBLE_DIR = local.ansible_dir
      LOCAL_DIR   = local.local_dir
    }
  }

  depends_on = [
    terraform_data.inventory,
    scaleway_instance_private_nic.node,
    scaleway_lb_acl.listener,
    scaleway_domain_record.this,
  ]
}
