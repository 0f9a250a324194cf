# Every choice made: five nodes over three zones, a bigger balancer, TLS only, a DNS name with its certificate, an ACL,
# the image from a local archive, and the state in Object Storage.

terraform {
  required_version = ">= 1.9"

  # The bucket is made beforehand; `terraform init -backend-config=bucket=NAME` names it. The lock is an object beside
  # the state, written only if it is not there yet.
  backend "s3" {
    key                         = "shoal/terraform.tfstate"
    region                      = "fr-par"
    endpoints                   = { s3 = "https://s3.fr-par.scw.cloud" }
    use_lockfile                = true
    use_path_style              = true
    skip_credentials_validation = true
    skip_region_validation      = true
    skip_requesting_account_id  = true
    skip_metadata_api_check     = true
    skip_s3_checksum            = true
  }
}

module "shoal" {
  source = "../.."

  name       = "telemetry"
  node_count = 5
  region     = "fr-par"
  zones      = ["fr-par-1", "fr-par-2", "fr-par-3"]
  tags       = ["shoal", "production"]

  # Machines.
  node_type        = "PRO2-XS"
  root_volume_gb   = 20
  data_volume_gb   = 100
  data_volume_iops = 15000

  # Who may come in.
  ssh_public_key       = file(var.ssh_public_key_file)
  ssh_private_key_file = trimsuffix(var.ssh_public_key_file, ".pub")
  ssh_allowed_cidrs    = var.operator_cidrs
  client_allowed_cidrs = var.client_cidrs
  admin_allowed_cidrs  = ["10.80.0.50/32"] # Prometheus, on the same private network
  password_file        = "${path.root}/secrets/users"
  acl_file             = "${path.root}/secrets/acl"

  # The door.
  listeners             = ["mqtts", "wss"]
  lb_type               = "LB-GP-M"
  keepalive_max         = 3600
  connection_rate_limit = 1000
  private_subnet        = "10.80.0.0/24"
  dns_zone              = "example.org"
  dns_name              = "mqtt"
  tls_certificate_file  = "${path.root}/secrets/fullchain.pem"
  tls_key_file          = "${path.root}/secrets/privkey.pem"

  # The software.
  shoal_image    = "shoal:1.0"
  image_archive  = "${path.root}/shoal-1.0.tar.gz"
  shoal_settings = { "max-queued" = "50000", "session-expiry-max" = "30d" }
  ansible_vars   = { shoal_log_level = "warning" }
  local_dir      = "${path.root}/cluster"
}

variable "ssh_public_key_file" {
  description = "Path of the public key; the private one is beside it."
  type        = string
}

variable "operator_cidrs" {
  description = "Ranges that operators log in from."
  type        = list(string)
}

variable "client_cidrs" {
  description = "Ranges that devices connect from."
  type        = list(string)
}

output "endpoint" {
  description = "What clients connect to."
  value       = module.shoal.endpoint
}

output "ports" {
  description = "Public port of each listener."
  value       = module.shoal.ports
}

output "nodes" {
  description = "Zone and addresses of every node."
  value       = module.shoal.nodes
}
