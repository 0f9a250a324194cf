# The least that a cluster of three takes. SCW_ACCESS_KEY, SCW_SECRET_KEY and SCW_DEFAULT_PROJECT_ID are in the
# environment; see docs/deploy.md for how to make the users' file and the image.

terraform {
  required_version = ">= 1.9"
}

module "shoal" {
  source = "../.."

  ssh_public_key       = var.ssh_public_key
  ssh_allowed_cidrs    = var.my_addresses
  client_allowed_cidrs = ["0.0.0.0/0"]
  password_file        = "${path.root}/users"
  shoal_image          = var.shoal_image
}

variable "ssh_public_key" {
  description = "Your public key, the line in ~/.ssh/id_ed25519.pub."
  type        = string
}

variable "my_addresses" {
  description = "Your own public IPv4 address, such as [\"203.0.113.7/32\"]."
  type        = list(string)
}

variable "shoal_image" {
  description = "The broker's image in your registry."
  type        = string
}

output "endpoint" {
  description = "What clients connect to."
  value       = module.shoal.endpoint
}

output "try_it" {
  description = "A line to publish the first message with."
  value       = module.shoal.try_it
}
