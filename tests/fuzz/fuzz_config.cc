// Configuration files of any content: never a crash, and one that is accepted is complete.
#include <cstdio>
#include <cstdlib>

#include "node/config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace shoal;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = load_config_text(text, "fuzz.toml", {"host", 2});
  if (loaded.findings.has_errors()) return 0;
  const ServeConfig& config = loaded.config;
  const bool is_complete = !config.listeners.empty() && config.workers > 0 &&
                           !config.node_name.empty() && !config.peer_advertise.host.empty();
  if (!is_complete) {
    std::fprintf(stderr, "accepted, but not complete\n");
    std::abort();
  }
  return 0;
}
