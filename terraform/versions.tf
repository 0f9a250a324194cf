terraform {
  # 1.9: a variable's validation may look at other variables. OpenTofu 1.9 has it too.
  required_version = ">= 1.9"

  required_providers {
    scaleway = {
      source  = "scaleway/scaleway"
      version = ">= 2.81"
    }
  }
}
