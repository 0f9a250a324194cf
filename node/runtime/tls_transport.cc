#include "node/runtime/tls_transport.h"

#include "node/runtime/write_turn.h"

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
  return write_turn(output, [this](auto pieces) { return stream_.write(pieces); });
}

}  // namespace shoal
