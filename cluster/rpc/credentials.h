// gRPC credentials of this node towards its peers.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include "cluster/rpc/peer_transport.h"

namespace shoal {

class PeerCredentials {
 public:
  virtual ~PeerCredentials() = default;
  virtual std::shared_ptr<grpc::ServerCredentials> server() const = 0;
  virtual std::shared_ptr<grpc::ChannelCredentials> channel() const = 0;
  virtual absl::Status reload() = 0;
};

std::unique_ptr<PeerCredentials> insecure_peer_credentials();
absl::StatusOr<std::unique_ptr<PeerCredentials>> tls_peer_credentials(PeerCertificateFiles files);

}  // namespace shoal
