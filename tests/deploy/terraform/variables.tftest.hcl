# Every bad input is an error at plan time that names its variable.

variables {
  ssh_public_key       = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtestkeytestkeytestkeytestkeytestkeytest you@host"
  ssh_allowed_cidrs    = ["203.0.113.0/24"]
  client_allowed_cidrs = ["0.0.0.0/0"]
  password_file        = "./versions.tf" # any file that exists: only its path is looked at
  shoal_image          = "shoal:test"
  run_ansible          = false
}

run "as_given" {
  command = plan
}

run "one_node" {
  command = plan
  variables {
    node_count = 1
  }
  assert {
    condition     = join(" ", keys(output.nodes)) == "shoal-node1"
    error_message = "one node was asked for"
  }
}

run "two_nodes_have_no_majority" {
  command = plan
  variables {
    node_count = 2
  }
  expect_failures = [var.node_count]
}

run "no_nodes" {
  command = plan
  variables {
    node_count = 0
  }
  expect_failures = [var.node_count]
}

run "half_a_node" {
  command = plan
  variables {
    node_count = 3.5
  }
  expect_failures = [var.node_count]
}

run "ssh_key_empty" {
  command = plan
  variables {
    ssh_public_key = ""
  }
  expect_failures = [var.ssh_public_key]
}

run "ssh_key_private" {
  command = plan
  variables {
    ssh_public_key = "-----BEGIN OPENSSH PRIVATE KEY-----"
  }
  expect_failures = [var.ssh_public_key]
}

run "ssh_private_key_missing" {
  command = plan
  variables {
    ssh_private_key_file = "./no-such-file"
  }
  expect_failures = [var.ssh_private_key_file]
}

run "zone_unknown" {
  command = plan
  variables {
    zones = ["fr-par-1", "fr-par-9"]
  }
  expect_failures = [var.zones]
}

run "zone_of_another_region" {
  command = plan
  variables {
    zones = ["fr-par-1", "nl-ams-1"]
  }
  expect_failures = [var.zones]
}

run "zone_twice" {
  command = plan
  variables {
    zones = ["fr-par-1", "fr-par-1"]
  }
  expect_failures = [var.zones]
}

run "region_unknown" {
  command = plan
  variables {
    region = "mars"
    zones  = ["fr-par-1"]
  }
  expect_failures = [var.region]
}

run "ssh_from_nowhere" {
  command = plan
  variables {
    ssh_allowed_cidrs = []
  }
  expect_failures = [var.ssh_allowed_cidrs]
}

run "ssh_range_with_host_bits" {
  command = plan
  variables {
    ssh_allowed_cidrs = ["203.0.113.7/24"]
  }
  expect_failures = [var.ssh_allowed_cidrs]
}

run "ssh_range_of_ipv6" {
  command = plan
  variables {
    ssh_allowed_cidrs = ["2001:db8::/32"]
  }
  expect_failures = [var.ssh_allowed_cidrs]
}

run "ssh_ranges_overlap" {
  command = plan
  variables {
    ssh_allowed_cidrs = ["203.0.113.0/24", "198.51.100.0/24", "203.0.113.128/25"]
  }
  expect_failures = [var.ssh_allowed_cidrs]
}

run "client_ranges_overlap" {
  command = plan
  variables {
    client_allowed_cidrs = ["192.0.2.0/24", "0.0.0.0/0"]
  }
  expect_failures = [var.client_allowed_cidrs]
}

run "clients_from_nowhere" {
  command = plan
  variables {
    client_allowed_cidrs = []
  }
  expect_failures = [var.client_allowed_cidrs]
}

run "admin_ranges_overlap" {
  command = plan
  variables {
    admin_allowed_cidrs = ["10.73.0.50/32", "10.73.0.0/24"]
  }
  expect_failures = [var.admin_allowed_cidrs]
}

run "neighbouring_ranges_do_not_overlap" {
  command = plan
  variables {
    ssh_allowed_cidrs   = ["203.0.113.0/25", "203.0.113.128/25"]
    admin_allowed_cidrs = ["10.73.0.50/32", "10.73.0.51/32"]
  }
}

run "private_subnet_is_public" {
  command = plan
  variables {
    private_subnet = "203.0.113.0/24"
  }
  expect_failures = [var.private_subnet]
}

run "private_subnet_is_dockers" {
  command = plan
  variables {
    private_subnet = "172.17.4.0/24"
  }
  expect_failures = [var.private_subnet]
}

run "private_subnet_too_small" {
  command = plan
  variables {
    private_subnet = "10.73.0.0/28"
  }
  expect_failures = [var.private_subnet]
}

run "password_file_missing" {
  command = plan
  variables {
    password_file = "./no-such-file"
  }
  expect_failures = [var.password_file]
}

run "acl_file_missing" {
  command = plan
  variables {
    acl_file = "./no-such-file"
  }
  expect_failures = [var.acl_file]
}

run "image_archive_missing" {
  command = plan
  variables {
    image_archive = "./no-such-file"
  }
  expect_failures = [var.image_archive]
}

run "certificate_without_key" {
  command = plan
  variables {
    tls_certificate_file = "./versions.tf"
  }
  expect_failures = [var.tls_certificate_file]
}

run "certificate_with_a_missing_key" {
  command = plan
  variables {
    tls_certificate_file = "./versions.tf"
    tls_key_file         = "./no-such-file"
  }
  expect_failures = [var.tls_key_file]
}

run "iops_not_offered" {
  command = plan
  variables {
    data_volume_iops = 7000
  }
  expect_failures = [var.data_volume_iops]
}

run "balancer_type_not_offered" {
  command = plan
  variables {
    lb_type = "LB-XXL"
  }
  expect_failures = [var.lb_type]
}

run "keepalive_beyond_mqtt" {
  command = plan
  variables {
    keepalive_max = 70000
  }
  expect_failures = [var.keepalive_max]
}

run "listener_unknown" {
  command = plan
  variables {
    listeners = ["mqtt", "coap"]
  }
  expect_failures = [var.listeners]
}

run "name_no_host_name" {
  command = plan
  variables {
    name = "My_Cluster"
  }
  expect_failures = [var.name]
}

run "image_name_malformed" {
  command = plan
  variables {
    shoal_image = "Shoal Image"
  }
  expect_failures = [var.shoal_image]
}
