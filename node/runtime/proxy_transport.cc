#include "node/runtime/proxy_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "node/runtime/proxy_protocol.h"

namespace shoal {
namespace {

using Step = Transport::Opening::Step;

bool is_in(const std::vector<AddressRange>& ranges, const std::string& address) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const AddressRange& range) { return range.contains(address); });
}

}  // namespace

ProxyTransport::ProxyTransport(int fd, std::string address,
                               const std::vector<AddressRange>& trusted, const MakeNext& make_next)
    : fd_(fd),
      address_(std::move(address)),
      is_trusted_(is_in(trusted, address_)),
      make_next_(make_next) {}

// What follows the header is the next transport's, or the socket's: OpenSSL reads it from there. So
// it is looked at first, and only the header is taken away.
Transport::Opening ProxyTransport::open(std::span<uint8_t> buffer) {
  if (!is_trusted_) return {Step::kFailed, "a PROXY header from here is not trusted"};
  const size_t before = header_.size();
  const size_t room = std::min(buffer.size(), kProxyHeaderBytesMax - before);
  const ssize_t peeked = ::recv(fd_, buffer.data(), room, MSG_PEEK | MSG_DONTWAIT);
  if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) return {Step::kRead, {}};
  // A check that connects and goes is a balancer's way to see whether the port answers.
  if (peeked <= 0) return {Step::kFailed, before == 0 ? "" : "closed within the PROXY header"};
  header_.insert(header_.end(), buffer.begin(), buffer.begin() + peeked);

  const ProxyHeaderResult result = parse_proxy_header(header_);
  if (const auto* malformed = std::get_if<ProxyHeaderMalformed>(&result)) {
    return {Step::kFailed, "PROXY header: " + std::string(malformed->why)};
  }
  const auto* const header = std::get_if<ProxyHeader>(&result);
  const size_t taken = (header != nullptr ? header->size : header_.size()) - before;
  ::recv(fd_, buffer.data(), taken, MSG_DONTWAIT);
  if (header == nullptr) return {Step::kRead, {}};
  if (!header->address.empty()) address_ = header->address;
  tls_identity_ = header->tls_identity;
  return {Step::kDone, {}};
}

std::optional<std::unique_ptr<Transport>> ProxyTransport::successor() {
  return make_next_ ? make_next_(fd_, address_) : nullptr;
}

}  // namespace shoal
