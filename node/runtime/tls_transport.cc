#include "node/runtime/tls_transport.h"

#include <array>

#include "node/broker/output.h"
#include "node/runtime/plain_io.h"

namespace shoal {

Transport::Opening opening_of(ByteStream& stream) {
  using Step = Transport::Opening::Step;
  switch (stream.open().status) {
    case IoResult::Status::kOpen: return {Step::kDone, {}};
    case IoResult::Status::kWantRead: return {Step::kRead, {}};
    case IoResult::Status::kWantWrite: return {Step::kWrite, {}};
    case IoResult::Status::kClosed: break;
  }
  return {Step::kFailed, stream.failure()};
}

Transport::Opening TlsTransport::open(std::span<uint8_t>) { return opening_of(stream_); }

IoResult TlsTransport::write(Output& output) {
  IoResult total;
  std::array<std::span<const uint8_t>, kGatheredPieces> pieces;
  while (total.status == IoResult::Status::kOpen && !output.empty()) {
    const size_t count = output.gather(pieces);
    const IoResult one = stream_.write(std::span(pieces).first(count));
    output.consume(one.bytes);
    total.bytes += one.bytes;
    total.status = one.status;
  }
  return total;
}

}  // namespace shoal
