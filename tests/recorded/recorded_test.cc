// Today's code reads what earlier versions wrote, and writes the same: folder vN has, of each kind, what
// the program wrote that spoke version N of the protocol, and what it says, as words and then in
// hexadecimal. A field whose number, type or place changes is found here.
//
// A version is recorded when the next one begins, with the code as it is before its first change:
//   SHOAL_RECORD=tests/recorded/v2 build/release/recorded_test
// What a later version appends to a kind is not in older recordings and does not touch them. Where it
// writes a kind otherwise on purpose, the kind keeps its old reader, and Writes... skips it by name.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cluster/core/hub.h"
#include "tests/recorded/recording.h"

namespace shoal::recorded {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHexColumns = 96;
constexpr std::string_view kBytes = "bytes:";

struct Recording {
  std::string file;
  std::string says;
  Frames frames;
};

std::string hex_lines(std::string_view bytes) {
  const std::string hex = hex_of(bytes);
  std::string lines;
  for (size_t at = 0; at < hex.size(); at += kHexColumns) {
    lines += hex.substr(at, kHexColumns) + "\n";
  }
  return lines;
}

void write(const fs::path& file, const std::string& says, const Frames& frames) {
  std::ofstream out(file, std::ios::trunc);
  out << says;
  for (const std::string& frame : frames) out << kBytes << "\n" << hex_lines(frame);
}

Recording read(const fs::path& file) {
  Recording recording{.file = file.filename().string()};
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line == kBytes) {
      recording.frames.emplace_back();
    } else if (recording.frames.empty()) {
      recording.says += line + "\n";
    } else {
      recording.frames.back() += bytes_of_hex(line);
    }
  }
  return recording;
}

std::vector<Recording> recordings_of(uint32_t version) {
  std::vector<Recording> recordings;
  const fs::path folder =
      fs::path(SHOAL_SOURCE_DIR) / "tests/recorded" / ("v" + std::to_string(version));
  if (!fs::is_directory(folder)) return recordings;
  for (const auto& entry : fs::directory_iterator(folder)) recordings.push_back(read(entry.path()));
  std::sort(recordings.begin(), recordings.end(),
            [](const Recording& a, const Recording& b) { return a.file < b.file; });
  return recordings;
}

const Kind* find(const std::vector<Kind>& kinds, const std::string& file) {
  for (const Kind& kind : kinds) {
    if (kind.name + ".txt" == file) return &kind;
  }
  return nullptr;
}

// Calls with every recording of an earlier version and the kind that it is of.
template <typename Check>
void for_each_recording(Check check) {
  const std::vector<Kind> kinds = all_kinds();
  for (uint32_t version = kProtocolMin; version < kProtocolMax; ++version) {
    const std::vector<Recording> recordings = recordings_of(version);
    ASSERT_FALSE(recordings.empty()) << "version " << version << " is not recorded";
    for (const Recording& recording : recordings) {
      SCOPED_TRACE("v" + std::to_string(version) + "/" + recording.file);
      const Kind* const kind = find(kinds, recording.file);
      ASSERT_NE(kind, nullptr) << "nobody reads this kind any more";
      check(*kind, recording);
    }
  }
}

TEST(Recorded, EachKindReadsWhatItMakes) {
  for (const Kind& kind : all_kinds()) {
    const Frames frames = kind.make();
    const std::optional<Reading> reading = kind.read(frames);
    ASSERT_TRUE(reading) << kind.name;
    EXPECT_EQ(reading->again, frames) << kind.name;
  }
}

TEST(Recorded, ReadsWhatEarlierVersionsWrote) {
  for_each_recording([](const Kind& kind, const Recording& recording) {
    const std::optional<Reading> reading = kind.read(recording.frames);
    ASSERT_TRUE(reading);
    EXPECT_EQ(reading->says, recording.says);
  });
}

// As long as the cluster's level is theirs, they must be able to read it.
TEST(Recorded, WritesWhatEarlierVersionsWrote) {
  for_each_recording([](const Kind& kind, const Recording& recording) {
    const std::optional<Reading> reading = kind.read(recording.frames);
    ASSERT_TRUE(reading);
    EXPECT_EQ(reading->again, recording.frames);
  });
}

// What the folder has is what is said to be there, and a changed field is found: this test of the test
// changes one byte at a time.
TEST(Recorded, AChangedByteIsNoticed) {
  size_t changed = 0, unnoticed = 0;
  for_each_recording([&](const Kind& kind, const Recording& recording) {
    for (size_t at = 0; at < recording.frames[0].size(); ++at) {
      Frames frames = recording.frames;
      frames[0][at] = static_cast<char>(frames[0][at] ^ 1);
      const std::optional<Reading> reading = kind.read(frames);
      ++changed;
      unnoticed += reading && reading->says == recording.says && reading->again == recording.frames;
    }
  });
  // The bytes of a frame's header that mean nothing.
  EXPECT_LE(unnoticed * 20, changed);
}

TEST(Recorded, RecordsThisVersion) {
  const char* const folder = std::getenv("SHOAL_RECORD");
  if (folder == nullptr) return;
  fs::create_directories(folder);
  for (const Kind& kind : all_kinds()) {
    const Frames frames = kind.make();
    const std::optional<Reading> reading = kind.read(frames);
    ASSERT_TRUE(reading) << kind.name;
    write(fs::path(folder) / (kind.name + ".txt"), reading->says, frames);
  }
}

}  // namespace
}  // namespace shoal::recorded
