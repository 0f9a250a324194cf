// A client's SCRAM messages, a line each: never a crash, and nobody gets in without the password.
#include <cstdio>
#include <cstdlib>

#include "node/auth/scram.h"
#include "shoal/byte_view.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  static const ScramCredential credential =
      scram_credential_of("pencil", bytes_of("0123456789abcdef"), 4096);
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ScramServer server("nonce", [](std::string_view) { return credential; });
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const auto step = server.on_message(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (step.outcome != ScramServer::Outcome::kSuccess) continue;
    std::fprintf(stderr, "a proof without the password\n");
    std::abort();
  }
  return 0;
}
