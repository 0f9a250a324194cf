output "endpoint" {
  description = "The name or address that clients connect to."
  value       = local.endpoint
}

output "ports" {
  description = "Public port of each listener."
  value       = { for name, ports in local.listeners : name => ports.public }
}

output "try_it" {
  description = "A line to publish the first message with; USER and PASSWORD are those of password_file."
  value = join(" ", concat(
    ["mosquitto_pub -h ${local.endpoint}"],
    contains(var.listeners, "mqtts") ? concat(["-p 8883"], var.tls_certificate_file == null ? ["--cafile ${local.local_dir}/pki/tls-ca.crt"] : ["--capath /etc/ssl/certs"]) : ["-p 1883"],
    ["-u USER -P PASSWORD -t hello -m world -q 1"],
  ))
}

output "nodes" {
  description = "Zone and addresses of every node."
  value = {
    for name, node in local.nodes : "${var.name}-${name}" => {
      zone    = node.zone
      public  = scaleway_instance_ip.node[name].address
      private = scaleway_ipam_ip.node[name].address
    }
  }
}

output "balancer_private_address" {
  description = "The load balancer's address on the private network, the only one that speaks to the nodes for clients."
  value       = scaleway_ipam_ip.lb.address
}

output "inventory" {
  description = "The Ansible inventory, as written to local_dir/inventory.json."
  value       = local.inventory
}

output "local_dir" {
  description = "Directory with the inventory and the certificates' authority."
  value       = local.local_dir
}
