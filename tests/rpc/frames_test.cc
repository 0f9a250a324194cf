#include "cluster/rpc/frames.h"

#include <gtest/gtest.h>

#include <vector>

#include "shoal/byte_view.h"

namespace shoal {
namespace {

std::vector<std::string> frames_of(const std::string& batch) {
  std::vector<std::string> frames;
  FrameReader reader(batch);
  while (const auto frame = reader.next()) frames.emplace_back(frame->begin(), frame->end());
  return frames;
}

TEST(Frames, ComeOutAsTheyWentIn) {
  const std::string large(kFrameBytesMax, 'x');
  std::string batch;
  append_frame(batch, bytes_of("one"));
  append_frame(batch, bytes_of(""));
  append_frame(batch, bytes_of(large));
  append_frame(batch, bytes_of("last"));
  ASSERT_TRUE(is_well_formed(batch));
  EXPECT_EQ(frames_of(batch), (std::vector<std::string>{"one", "", large, "last"}));
}

TEST(Frames, WhatDoesNotFitExactlyIsRefused) {
  const struct {
    const char* what;
    std::string batch;
    bool well_formed;
  } cases[] = {
      {"empty", "", true},
      {"an empty frame", std::string("\0\0\0\0", 4), true},
      {"a cut length", std::string("\1\0\0", 3), false},
      {"a frame that is missing", std::string("\1\0\0\0", 4), false},
      {"a frame and a byte", std::string("\1\0\0\0xy", 6), false},
      {"two frames", std::string("\1\0\0\0x\1\0\0\0y", 10), true},
      {"the longest length", std::string("\xff\xff\xff\xff", 4), false},
  };
  for (const auto& row : cases) EXPECT_EQ(is_well_formed(row.batch), row.well_formed) << row.what;
}

}  // namespace
}  // namespace shoal
