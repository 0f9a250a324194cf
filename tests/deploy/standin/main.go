// Command standin is a Terraform provider that stands in for scaleway/scaleway in tests: it serves the real provider's
// recorded schema to an unchanged Terraform, refuses what the real one would refuse, and can make the planned world
// real on this machine, with a container for each instance and HAProxy for the load balancer.
//
// SHOAL_STANDIN_DIR names the directory that holds its world (required to plan or apply, not to validate).
// SHOAL_STANDIN_CONTAINERS=1 makes containers; without it the world is only remembered.
package main

import (
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

func main() {
	log.SetFlags(0)
	schemas, err := loadSchemas()
	if err != nil {
		log.Fatalf("standin: recorded schema: %v", err)
	}
	server := &provider{schemas: schemas}
	// OpenTofu asks for the same provider under another host; the name served here is not compared with it.
	err = tf6server.Serve("registry.terraform.io/scaleway/scaleway", func() tfprotov6.ProviderServer { return server })
	if err != nil {
		log.Fatalf("standin: %v", err)
	}
}
