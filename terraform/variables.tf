# Who may come in: nothing here has a default that opens a door.

variable "ssh_public_key" {
  description = "The public key, in OpenSSH's one-line form, that Ansible and you log in with. Only its public half is ever asked for."
  type        = string

  validation {
    condition     = can(regex("^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\\.com) [A-Za-z0-9+/=]+( .*)?$", trimspace(var.ssh_public_key)))
    error_message = "ssh_public_key must be one line as in ~/.ssh/id_ed25519.pub, such as \"ssh-ed25519 AAAA... you@host\"."
  }
}

variable "ssh_allowed_cidrs" {
  description = "IPv4 ranges that may reach SSH on the instances' public addresses, such as [\"203.0.113.7/32\"]."
  type        = list(string)

  validation {
    condition     = length(var.ssh_allowed_cidrs) > 0
    error_message = "ssh_allowed_cidrs must name at least one range: the machine that runs Ansible logs in through it."
  }
  validation {
    condition     = alltrue([for c in var.ssh_allowed_cidrs : can(regex("^[0-9.]+/[0-9]+$", c)) && try(cidrhost(c, 0) == split("/", c)[0], false)])
    error_message = "ssh_allowed_cidrs must be IPv4 networks with no host bits set, such as \"203.0.113.0/24\"."
  }
  validation {
    condition = length([
      for pair in setproduct(range(length(var.ssh_allowed_cidrs)), range(length(var.ssh_allowed_cidrs))) : pair
      if pair[0] < pair[1] && try(
        cidrhost("${split("/", var.ssh_allowed_cidrs[pair[0]])[0]}/${min(split("/", var.ssh_allowed_cidrs[pair[0]])[1], split("/", var.ssh_allowed_cidrs[pair[1]])[1])}", 0) ==
      cidrhost("${split("/", var.ssh_allowed_cidrs[pair[1]])[0]}/${min(split("/", var.ssh_allowed_cidrs[pair[0]])[1], split("/", var.ssh_allowed_cidrs[pair[1]])[1])}", 0), false)
    ]) == 0
    error_message = "ssh_allowed_cidrs has ranges that overlap: keep the wider one."
  }
}

variable "client_allowed_cidrs" {
  description = "IPv4 ranges that may reach MQTT through the load balancer; [\"0.0.0.0/0\"] for clients anywhere. Every client also needs a user of password_file."
  type        = list(string)

  validation {
    condition     = length(var.client_allowed_cidrs) > 0
    error_message = "client_allowed_cidrs must name at least one range: with none no client can connect."
  }
  validation {
    condition     = alltrue([for c in var.client_allowed_cidrs : can(regex("^[0-9.]+/[0-9]+$", c)) && try(cidrhost(c, 0) == split("/", c)[0], false)])
    error_message = "client_allowed_cidrs must be IPv4 networks with no host bits set, such as \"203.0.113.0/24\"."
  }
  validation {
    condition = length([
      for pair in setproduct(range(length(var.client_allowed_cidrs)), range(length(var.client_allowed_cidrs))) : pair
      if pair[0] < pair[1] && try(
        cidrhost("${split("/", var.client_allowed_cidrs[pair[0]])[0]}/${min(split("/", var.client_allowed_cidrs[pair[0]])[1], split("/", var.client_allowed_cidrs[pair[1]])[1])}", 0) ==
      cidrhost("${split("/", var.client_allowed_cidrs[pair[1]])[0]}/${min(split("/", var.client_allowed_cidrs[pair[0]])[1], split("/", var.client_allowed_cidrs[pair[1]])[1])}", 0), false)
    ]) == 0
    error_message = "client_allowed_cidrs has ranges that overlap: keep the wider one."
  }
}

variable "admin_allowed_cidrs" {
  description = "IPv4 ranges, beside the load balancer's health check, that may reach the admin port on the nodes' private addresses: your Prometheus, for instance."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for c in var.admin_allowed_cidrs : can(regex("^[0-9.]+/[0-9]+$", c)) && try(cidrhost(c, 0) == split("/", c)[0], false)])
    error_message = "admin_allowed_cidrs must be IPv4 networks with no host bits set, such as \"10.73.0.50/32\"."
  }
  validation {
    condition = length([
      for pair in setproduct(range(length(var.admin_allowed_cidrs)), range(length(var.admin_allowed_cidrs))) : pair
      if pair[0] < pair[1] && try(
        cidrhost("${split("/", var.admin_allowed_cidrs[pair[0]])[0]}/${min(split("/", var.admin_allowed_cidrs[pair[0]])[1], split("/", var.admin_allowed_cidrs[pair[1]])[1])}", 0) ==
      cidrhost("${split("/", var.admin_allowed_cidrs[pair[1]])[0]}/${min(split("/", var.admin_allowed_cidrs[pair[0]])[1], split("/", var.admin_allowed_cidrs[pair[1]])[1])}", 0), false)
    ]) == 0
    error_message = "admin_allowed_cidrs has ranges that overlap: keep the wider one."
  }
}

variable "password_file" {
  description = "Path of the users' file, made with `shoal passwd FILE USER` (mosquitto_passwd's format is read too). Its path enters the Terraform state, its content does not."
  type        = string

  validation {
    condition     = fileexists(pathexpand(var.password_file))
    error_message = "password_file does not exist. Make it with: shoal passwd FILE USER."
  }
}

variable "acl_file" {
  description = "Path of an ACL file in mosquitto's format: who may publish and subscribe to what. Without it every user may use every topic."
  type        = string
  default     = null

  validation {
    condition     = var.acl_file == null ? true : fileexists(pathexpand(var.acl_file))
    error_message = "acl_file does not exist."
  }
}

# The cluster.

variable "name" {
  description = "Prefix of every name, and the cluster's directory under ~/.shoal."
  type        = string
  default     = "shoal"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "name must be 1 to 31 lower-case letters, digits and hyphens, and start with a letter: it is part of host names."
  }
}

variable "node_count" {
  description = "Number of nodes: 1 to try things out, 3 or more to bear the loss of one."
  type        = number
  default     = 3

  validation {
    condition     = var.node_count != 2
    error_message = "node_count = 2 is worse than 1: a majority of two is both of them, so no majority survives the loss of either. Use 1, or 3 and more."
  }
  validation {
    condition     = var.node_count >= 1 && var.node_count <= 25 && floor(var.node_count) == var.node_count
    error_message = "node_count must be a whole number from 1 to 25."
  }
}

variable "region" {
  description = "Scaleway region."
  type        = string
  default     = "fr-par"

  validation {
    condition     = contains(["fr-par", "nl-ams", "pl-waw", "it-mil"], var.region)
    error_message = "region must be one of fr-par, nl-ams, pl-waw and it-mil."
  }
}

variable "zones" {
  description = "Availability zones that the nodes are spread over, in turn; the load balancer stands in the first. With three, a cluster of three bears the loss of a zone."
  type        = list(string)
  default     = ["fr-par-1", "fr-par-2", "fr-par-3"]

  validation {
    condition     = length(var.zones) > 0 && length(distinct(var.zones)) == length(var.zones)
    error_message = "zones must name at least one zone, and each once."
  }
  validation {
    condition = alltrue([for z in var.zones : contains([
      "fr-par-1", "fr-par-2", "fr-par-3", "nl-ams-1", "nl-ams-2", "nl-ams-3", "pl-waw-1", "pl-waw-2", "pl-waw-3", "it-mil-1",
    ], z)])
    error_message = "zones has a zone that Scaleway does not offer; they are named as fr-par-1."
  }
  validation {
    condition     = alltrue([for z in var.zones : startswith(z, "${var.region}-")])
    error_message = "zones must lie in region: a private network does not reach another region."
  }
}

variable "project_id" {
  description = "Scaleway project; without it the provider's (SCW_DEFAULT_PROJECT_ID)."
  type        = string
  default     = null

  validation {
    condition     = var.project_id == null ? true : can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.project_id))
    error_message = "project_id must be a UUID."
  }
}

variable "tags" {
  description = "Tags of every resource that can have some."
  type        = list(string)
  default     = ["shoal"]
}

# The machines.

variable "node_type" {
  description = "Instance type; docs/deploy.md has a table of sizes and prices."
  type        = string
  default     = "PLAY2-NANO"

  validation {
    condition     = can(regex("^[A-Z0-9]+(-[A-Z0-9]+)+$", var.node_type))
    error_message = "node_type must be an instance type such as PLAY2-NANO or PRO2-XXS."
  }
}

variable "instance_image" {
  description = "Label of the instances' operating system image. The playbook is written for Debian 12."
  type        = string
  default     = "debian_bookworm"
}

variable "root_volume_gb" {
  description = "Size of an instance's root volume in GB. It holds nothing that must be kept."
  type        = number
  default     = 20

  validation {
    condition     = var.root_volume_gb >= 10
    error_message = "root_volume_gb must be at least 10: the system, Docker and two images of the broker."
  }
}

variable "data_volume_gb" {
  description = "Size in GB of a node's data volume, which outlives its instance. It can grow, not shrink."
  type        = number
  default     = 20

  validation {
    condition     = var.data_volume_gb >= 5 && var.data_volume_gb <= 10000
    error_message = "data_volume_gb must be from 5 to 10000."
  }
}

variable "data_volume_iops" {
  description = "I/O operations per second of a data volume: 5000 or 15000. Durable messages wait for this disk."
  type        = number
  default     = 5000

  validation {
    condition     = contains([5000, 15000], var.data_volume_iops)
    error_message = "data_volume_iops must be 5000 or 15000: Scaleway offers no other."
  }
}

variable "manage_ssh_key" {
  description = "Add ssh_public_key to the project. Set to false where the project already has it."
  type        = bool
  default     = true
}

# The network.

variable "private_subnet" {
  description = "IPv4 range of the private network between the nodes and the load balancer."
  type        = string
  default     = "10.73.0.0/24"

  validation {
    condition     = can(regex("^(10\\.|192\\.168\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.)", var.private_subnet)) && try(cidrhost(var.private_subnet, 0) == split("/", var.private_subnet)[0], false)
    error_message = "private_subnet must be a private IPv4 network with no host bits set, such as \"10.73.0.0/24\"."
  }
  validation {
    condition     = try(tonumber(split("/", var.private_subnet)[1]) >= 20 && tonumber(split("/", var.private_subnet)[1]) <= 26, false)
    error_message = "private_subnet must be from /20 to /26: room for the nodes, no wider than Scaleway allows."
  }
  validation {
    condition     = !startswith(var.private_subnet, "172.17.")
    error_message = "private_subnet overlaps 172.17.0.0/16, the range of Docker's own bridge on every node."
  }
}

variable "listeners" {
  description = "What the load balancer offers: mqtt (1883, in the clear), mqtts (8883) and wss (443)."
  type        = set(string)
  default     = ["mqtt", "mqtts", "wss"]

  validation {
    condition     = length(var.listeners) > 0 && alltrue([for l in var.listeners : contains(["mqtt", "mqtts", "wss"], l)])
    error_message = "listeners must be some of mqtt, mqtts and wss."
  }
}

variable "lb_type" {
  description = "Load balancer type; 20 000 connections on LB-S, 50 000 on LB-GP-M (and at most 50 000 to one port of one node)."
  type        = string
  default     = "LB-S"

  validation {
    condition     = contains(["LB-S", "LB-GP-M", "LB-GP-L", "LB-GP-XL"], var.lb_type)
    error_message = "lb_type must be one of LB-S, LB-GP-M, LB-GP-L and LB-GP-XL."
  }
}

variable "keepalive_max" {
  description = "Longest MQTT keep-alive to serve, in seconds. The load balancer cuts connections that are idle for longer than one and a half times this."
  type        = number
  default     = 65535

  validation {
    condition     = var.keepalive_max >= 10 && var.keepalive_max <= 65535 && floor(var.keepalive_max) == var.keepalive_max
    error_message = "keepalive_max must be a whole number from 10 to 65535, MQTT's longest."
  }
}

variable "connection_rate_limit" {
  description = "New connections per second that the load balancer takes on each listener; 0 for no limit."
  type        = number
  default     = 500

  validation {
    condition     = var.connection_rate_limit >= 0 && floor(var.connection_rate_limit) == var.connection_rate_limit
    error_message = "connection_rate_limit must be a whole number, 0 or more."
  }
}

variable "dns_zone" {
  description = "A DNS zone that Scaleway manages for you. With it the endpoint is dns_name in that zone."
  type        = string
  default     = null
}

variable "dns_name" {
  description = "Name of the endpoint within dns_zone; without it the cluster's name."
  type        = string
  default     = null
}

variable "tls_certificate_file" {
  description = "Path of a PEM certificate chain for mqtts and wss. Without it the playbook signs one with a CA of its own."
  type        = string
  default     = null

  validation {
    condition     = var.tls_certificate_file == null ? true : fileexists(pathexpand(var.tls_certificate_file))
    error_message = "tls_certificate_file does not exist."
  }
  validation {
    condition     = (var.tls_certificate_file == null) == (var.tls_key_file == null)
    error_message = "tls_certificate_file and tls_key_file go together."
  }
}

variable "tls_key_file" {
  description = "Path of the private key of tls_certificate_file. Only the path enters the Terraform state."
  type        = string
  default     = null

  validation {
    condition     = var.tls_key_file == null ? true : fileexists(pathexpand(var.tls_key_file))
    error_message = "tls_key_file does not exist."
  }
}

# The software.

variable "shoal_image" {
  description = "Container image of the broker: a registry's name, or the name within image_archive."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._/:@-]*$", var.shoal_image))
    error_message = "shoal_image must be an image's name, such as rg.fr-par.scw.cloud/mine/shoal:1.0."
  }
}

variable "image_archive" {
  description = "Path of an archive with the image, as `docker save shoal_image | gzip` makes it. Without it the nodes pull from the registry."
  type        = string
  default     = null

  validation {
    condition     = var.image_archive == null ? true : fileexists(pathexpand(var.image_archive))
    error_message = "image_archive does not exist. Make it with: docker save IMAGE | gzip > FILE."
  }
}

variable "shoal_settings" {
  description = "Further settings of the broker by their names in its configuration file, such as { \"max-queued\" = \"50000\" }."
  type        = map(string)
  default     = {}
}

variable "run_ansible" {
  description = "Configure the nodes as a part of apply. With false the inventory is written and the playbook is yours to run."
  type        = bool
  default     = true
}

variable "ansible_vars" {
  description = "Variables of the Ansible roles, over their defaults: an object, whose values may be of different types."
  type        = any
  default     = {}

  validation {
    condition     = can(keys(var.ansible_vars))
    error_message = "ansible_vars must be an object, such as { shoal_log_level = \"debug\" }."
  }
}

variable "ssh_private_key_file" {
  description = "Path of the private key that belongs to ssh_public_key; without it the SSH agent or ~/.ssh has it."
  type        = string
  default     = null

  validation {
    condition     = var.ssh_private_key_file == null ? true : fileexists(pathexpand(var.ssh_private_key_file))
    error_message = "ssh_private_key_file does not exist. Make a pair with: ssh-keygen -t ed25519 -f FILE."
  }
}

variable "local_dir" {
  description = "Directory on this machine for the inventory and the certificates' authority; without it ~/.shoal/NAME. Keep it: it holds the cluster's keys."
  type        = string
  default     = null
}
