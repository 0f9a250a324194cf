#include "node/runtime/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace shoal {
namespace {

using Status = IoResult::Status;

// The payload of one TLS record: OpenSSL would make a record and a system call of each piece.
constexpr size_t kRecordBytesMax = 16 * 1024;

}  // namespace

void TlsStream::Free::operator()(SSL* connection) const { SSL_free(connection); }

TlsStream::TlsStream(std::shared_ptr<const TlsContext> context, int fd)
    : context_(std::move(context)), connection_(context_->new_connection(fd)) {}

IoResult TlsStream::open() {
  ERR_clear_error();
  const int result = SSL_accept(connection_.get());
  if (result == 1) return {};
  const Status status = status_of(result);
  if (status == Status::kClosed) {
    const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
    // A client that connects and goes, as a balancer's check does, is no failure worth a line.
    if (reason != nullptr) failure_ = std::string("TLS: ") + reason;
    ERR_clear_error();
  }
  return {status};
}

IoResult TlsStream::read(std::span<uint8_t> buffer) {
  ERR_clear_error();
  size_t size = 0;
  const int result = SSL_read_ex(connection_.get(), buffer.data(), buffer.size(), &size);
  if (result == 1) return {Status::kOpen, size};
  return {status_of(result)};
}

bool TlsStream::has_more() const { return SSL_has_pending(connection_.get()) == 1; }

IoResult TlsStream::write(std::span<const std::span<const uint8_t>> pieces) {
  std::array<uint8_t, kRecordBytesMax> record;
  IoResult total;
  size_t offset = 0;  // in the first of `pieces`
  while (!pieces.empty()) {
    size_t size = 0;
    size_t skip = offset;
    for (const auto piece : pieces) {
      const size_t part = std::min(piece.size() - skip, record.size() - size);
      std::memcpy(record.data() + size, piece.data() + skip, part);
      size += part;
      skip = 0;
      if (size == record.size()) break;
    }
    if (size == 0) break;
    ERR_clear_error();
    size_t written = 0;
    const int result = SSL_write_ex(connection_.get(), record.data(), size, &written);
    if (result != 1) {
      const Status status = status_of(result);
      // Renegotiation is off, so a write never waits for a read.
      total.status = status == Status::kClosed ? status : Status::kWantWrite;
      return total;
    }
    total.bytes += written;
    for (offset += written; !pieces.empty() && offset >= pieces.front().size();) {
      offset -= pieces.front().size();
      pieces = pieces.subspan(1);
    }
  }
  return total;
}

void TlsStream::say_goodbye() {
  ERR_clear_error();
  if (SSL_is_init_finished(connection_.get()) == 1) SSL_shutdown(connection_.get());
  ERR_clear_error();
}

std::string TlsStream::tls_identity() const {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(connection_.get()), X509_free);
  if (!certificate || SSL_get_verify_result(connection_.get()) != X509_V_OK) return {};
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) return {};
  std::string name(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  // A name that some code would read to its first zero is nobody's name.
  return name.find('\0') == std::string::npos ? name : std::string();
}

IoResult::Status TlsStream::status_of(int result) {
  switch (SSL_get_error(connection_.get(), result)) {
    case SSL_ERROR_WANT_READ: return Status::kWantRead;
    case SSL_ERROR_WANT_WRITE: return Status::kWantWrite;
    default: return Status::kClosed;
  }
}

}  // namespace shoal
