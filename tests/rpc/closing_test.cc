// Links that are closed: what was said before is read, and nobody is waited for long.
#include <gtest/gtest.h>

#include <chrono>

#include "shoal/byte_view.h"
#include "tests/rpc/transport_node.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

// Whoever refuses a peer says why, and closes in the same moment.
TEST(Closing, TheLastWordsOfWhoClosesAreRead) {
  for (const bool closes_dialled : {true, false}) {
    for (const int frames : {0, 1, 3'000}) {
      Node a(Node::insecure());
      Node b(Node::insecure());
      connect(a, b);
      Node& closer = closes_dialled ? a : b;
      Node& other = closes_dialled ? b : a;
      std::vector<std::string> sent;
      for (int i = 0; i < frames; ++i) {
        sent.push_back(std::string(300, 'x') + std::to_string(i));
        closer.transport().send(closer.up(), Lane::kControl, bytes_of(sent.back()));
        if (i == frames / 2) closer.transport().poll(now_for_lanes());
      }
      closer.close();
      const auto start = steady_clock::now();
      ASSERT_TRUE(other.wait_down());
      EXPECT_LT(steady_clock::now() - start, std::chrono::milliseconds(900))
          << "not by its patience";
      EXPECT_EQ(other.reason(), "the peer closed the connection");
      EXPECT_TRUE(other.frames(Lane::kControl) == sent)
          << other.frames(Lane::kControl).size() << " of " << frames;
      EXPECT_EQ(closer.down(), 0u);
    }
  }
}

TEST(Closing, WhoClosesDoesNotWaitLongForOneThatDoesNotRead) {
  for (const bool closes_dialled : {true, false}) {
    Node a(Node::insecure());
    Node b(Node::insecure());
    connect(a, b);
    Node& closer = closes_dialled ? a : b;
    Node& other = closes_dialled ? b : a;
    other.stand_still(true);
    // More than lies on the way: some of it waits for the other side.
    const std::string frame(1024 * 1024, 'x');
    for (int i = 0; i < 32; ++i) {
      closer.transport().send(closer.up(), Lane::kControl, bytes_of(frame));
    }
    const LinkId link = closer.up();
    closer.close();
    const auto is_gone = [&] { return closer.transport().unsent_bytes(link) == 0; };
    EXPECT_FALSE(is_gone());
    const auto start = steady_clock::now();
    EXPECT_TRUE(closer.wait(is_gone));
    EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(5));
    other.stand_still(false);
    EXPECT_TRUE(other.wait_down());
  }
}

TEST(Closing, BothMayCloseAtOnce) {
  for (int i = 0; i < 20; ++i) {
    Node a(Node::insecure());
    Node b(Node::insecure());
    connect(a, b);
    for (Node* const node : {&a, &b}) {
      node->transport().send(node->up(), Lane::kControl, bytes_of("go away"));
      node->close();
    }
    a.forget();
    b.forget();
    connect(a, b);
  }
}

}  // namespace
}  // namespace shoal
