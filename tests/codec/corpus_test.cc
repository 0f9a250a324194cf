// The decode fuzzer starts from one input for each sample packet, and one stream of all of a
// direction. With SHOAL_WRITE_CORPUS=1 in the environment this test writes them instead of
// comparing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "tests/codec/fuzz_input.h"
#include "tests/codec/sample_packets.h"

namespace shoal {
namespace {

std::map<std::string, Bytes> seeds() {
  std::map<std::string, Bytes> out;
  std::map<std::pair<ProtocolVersion, Sender>, Bytes> streams;
  int number = 0;
  for (const SamplePacket& sample : sample_packets()) {
    const std::string name = "packet-" + std::to_string(1000 + ++number);
    out[name] = fuzz_input(sample.version, sample.sender, sample.bytes);
    Bytes& stream = streams[{sample.version, sample.sender}];
    stream = std::move(stream) + sample.bytes;
  }
  for (const auto& [direction, stream] : streams) {
    const std::string name = "stream-" + std::to_string(static_cast<int>(direction.first)) +
                             (direction.second == Sender::kClient ? "-client" : "-server");
    out[name] = fuzz_input(direction.first, direction.second, stream);
  }
  return out;
}

TEST(DecodeCorpus, IsTheSamples) {
  const std::filesystem::path folder = SHOAL_SOURCE_DIR "/tests/fuzz/corpus/fuzz_decode";
  const bool write = std::getenv("SHOAL_WRITE_CORPUS") != nullptr;
  for (const auto& [name, seed] : seeds()) {
    if (write) {
      std::filesystem::create_directories(folder);
      std::ofstream(folder / name, std::ios::binary)
          .write(reinterpret_cast<const char*>(seed.data()), static_cast<long>(seed.size()));
    }
    std::ifstream file(folder / name, std::ios::binary);
    const std::string content(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(hex_of({content.begin(), content.end()}), hex_of(seed)) << name;
  }
}

}  // namespace
}  // namespace shoal
