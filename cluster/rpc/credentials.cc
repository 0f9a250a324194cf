// gRPC 1.51 can only exchange certificates under way when it watches files by itself. It would pick
// up whatever it finds there, a key without its certificate included. So it is given files in
// memory instead, whose contents change only after the real files were read and found to fit
// together.
#include "cluster/rpc/credentials.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "shoal/assert.h"

namespace shoal {
namespace {

// How often gRPC looks at the files in memory.
constexpr unsigned kRefreshSeconds = 1;

absl::Status invalid(const std::string& what) {
  return absl::InvalidArgumentError(absl::string_view(what.data(), what.size()));
}

absl::StatusOr<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in || text.empty()) return invalid(path + ": cannot be read or is empty");
  return text;
}

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using PrivateKey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio bio_of(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

Certificate certificate_of(const std::string& pem) {
  return {PEM_read_bio_X509(bio_of(pem).get(), nullptr, nullptr, nullptr), X509_free};
}

PrivateKey private_key_of(const std::string& pem) {
  return {PEM_read_bio_PrivateKey(bio_of(pem).get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
}

struct PemTexts {
  std::string cert;
  std::string key;
  std::string ca;
};

absl::StatusOr<PemTexts> read_checked(const PeerCertificateFiles& files) {
  PemTexts texts;
  for (const auto& [path, text] :
       {std::pair{&files.cert, &texts.cert}, {&files.key, &texts.key}, {&files.ca, &texts.ca}}) {
    absl::StatusOr<std::string> read = read_file(*path);
    if (!read.ok()) return read.status();
    *text = *std::move(read);
  }
  const Certificate cert = certificate_of(texts.cert);
  const PrivateKey key = private_key_of(texts.key);
  if (!cert) return invalid(files.cert + ": no PEM certificate");
  if (!key) return invalid(files.key + ": no PEM private key");
  if (!certificate_of(texts.ca)) return invalid(files.ca + ": no PEM certificate");
  if (X509_check_private_key(cert.get(), key.get()) != 1) {
    return invalid(files.key + ": is not the key of " + files.cert);
  }
  return texts;
}

// A file without a name, that gRPC reads by way of /proc.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : fd_(memfd_create(name, MFD_CLOEXEC)) {
    SHOAL_ASSERT(fd_ >= 0);
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void write(const std::string& text) {
    SHOAL_ASSERT(::pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    SHOAL_ASSERT(::ftruncate(fd_, static_cast<off_t>(text.size())) == 0);
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

class TlsPeerCredentials final : public PeerCredentials {
 public:
  explicit TlsPeerCredentials(PeerCertificateFiles files) : files_(std::move(files)) {}

  absl::Status reload() override {
    const absl::StatusOr<PemTexts> texts = read_checked(files_);
    if (!texts.ok()) return texts.status();
    key_.write(texts->key);
    cert_.write(texts->cert);
    ca_.write(texts->ca);
    return absl::OkStatus();
  }

  void watch() {
    provider_ = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
        key_.path(), cert_.path(), ca_.path(), kRefreshSeconds);
  }

  std::shared_ptr<grpc::ServerCredentials> server() const override {
    grpc::experimental::TlsServerCredentialsOptions options(provider_);
    watch_both(options);
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    return grpc::experimental::TlsServerCredentials(options);
  }

  std::shared_ptr<grpc::ChannelCredentials> channel() const override {
    grpc::experimental::TlsChannelCredentialsOptions options;
    options.set_certificate_provider(provider_);
    watch_both(options);
    options.set_verify_server_certs(true);
    return grpc::experimental::TlsCredentials(options);
  }

 private:
  // The chain is verified in either direction; names are not (PeerCertificateFiles).
  static void watch_both(grpc::experimental::TlsCredentialsOptions& options) {
    options.watch_root_certs();
    options.watch_identity_key_cert_pairs();
    options.set_certificate_verifier(
        std::make_shared<grpc::experimental::NoOpCertificateVerifier>());
    options.set_check_call_host(false);
  }

  const PeerCertificateFiles files_;
  MemoryFile key_{"shoal-peer-key"};
  MemoryFile cert_{"shoal-peer-cert"};
  MemoryFile ca_{"shoal-peer-ca"};
  std::shared_ptr<grpc::experimental::FileWatcherCertificateProvider> provider_;
};

class InsecurePeerCredentials final : public PeerCredentials {
 public:
  absl::Status reload() override { return absl::OkStatus(); }
  std::shared_ptr<grpc::ServerCredentials> server() const override {
    return grpc::InsecureServerCredentials();
  }
  std::shared_ptr<grpc::ChannelCredentials> channel() const override {
    return grpc::InsecureChannelCredentials();
  }
};

}  // namespace

std::unique_ptr<PeerCredentials> insecure_peer_credentials() {
  return std::make_unique<InsecurePeerCredentials>();
}

absl::StatusOr<std::unique_ptr<PeerCredentials>> tls_peer_credentials(PeerCertificateFiles files) {
  auto credentials = std::make_unique<TlsPeerCredentials>(std::move(files));
  const absl::Status loaded = credentials->reload();
  if (!loaded.ok()) return loaded;
  credentials->watch();
  return credentials;
}

}  // namespace shoal
