// The messages of one connection, by number and by packet identifier.
#include <gtest/gtest.h>

#include "node/broker/stored_window.h"

namespace shoal::test {
namespace {

StoredDelivery delivery(uint64_t number) {
  StoredDelivery made;
  made.number = number;
  made.in_quota = true;
  return made;
}

TEST(StoredWindow, FindsByPacketIdentifierAcrossTheWrap) {
  for (const uint64_t first : {uint64_t{1}, uint64_t{65'530}, uint64_t{65'535} * 1'000'000 - 3}) {
    StoredWindow window;
    const uint64_t numbers[] = {first, first + 2, first + 3, first + 10, first + 65'534};
    for (const uint64_t number : numbers) window.push(delivery(number));
    for (const uint64_t number : numbers) {
      StoredDelivery* const found = window.find(StoredWindow::packet_id_of(number));
      ASSERT_TRUE(found);
      EXPECT_EQ(found->number, number);
    }
    EXPECT_FALSE(window.find(StoredWindow::packet_id_of(first + 1)));
    EXPECT_FALSE(window.find(0));
    window.finish(*window.find_number(first + 2));
    EXPECT_FALSE(window.find(StoredWindow::packet_id_of(first + 2)));
    EXPECT_EQ(window.span(), 5u);
    window.finish(*window.find_number(first));
    EXPECT_EQ(window.span(), 3u);
    EXPECT_EQ(window.open(), 3u);
    EXPECT_EQ(window.quota_used(), 3u);
    EXPECT_EQ(window.find(StoredWindow::packet_id_of(first + 65'534))->number, first + 65'534);
  }
}

}  // namespace
}  // namespace shoal::test
