#include "tests/raft/directed.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace shoal::raft::sim {
namespace {

class Directed : public testing::TestWithParam<std::string> {};

TEST_P(Directed, Holds) { EXPECT_EQ(run_directed(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(Schedules, Directed, testing::ValuesIn(directed_names()),
                         [](const testing::TestParamInfo<std::string>& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace shoal::raft::sim
