// Links over loopback, with real gRPC and real certificates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "shoal/byte_view.h"
#include "tests/rpc/transport_node.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;
using testing::HasSubstr;

TEST(PeerTransport, FramesCrossBothWaysOnEveryLaneInOrder) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  connect(a, b);
  EXPECT_TRUE(a.dialed());
  EXPECT_FALSE(b.dialed());

  constexpr size_t kFrames = 2'000;
  std::vector<std::string> sent;
  for (size_t i = 0; i < kFrames; ++i) {
    sent.push_back("frame " + std::to_string(i));
    for (const Lane lane : {Lane::kControl, Lane::kForward, Lane::kBulk}) {
      a.transport().send(a.up(), lane, bytes_of(sent.back()));
      b.transport().send(b.up(), lane, bytes_of(sent.back()));
    }
    if (i % 50 == 0) a.transport().poll(now_for_lanes());
    if (i % 70 == 0) b.transport().poll(now_for_lanes());
  }
  for (const Lane lane : {Lane::kControl, Lane::kForward, Lane::kBulk}) {
    a.transport().poll(now_for_lanes());
    ASSERT_TRUE(b.wait_frames(lane, 1));
    EXPECT_TRUE(a.wait([&] { return a.transport().unsent_bytes(a.up()) == 0; }));
    ASSERT_TRUE(b.wait_frames(lane, kFrames));
    ASSERT_TRUE(b.wait([&] { return b.transport().unsent_bytes(b.up()) == 0; }));
    ASSERT_TRUE(a.wait_frames(lane, kFrames));
    EXPECT_EQ(a.frames(lane), sent);
    EXPECT_EQ(b.frames(lane), sent);
  }
}

TEST(PeerTransport, ABusyLaneSendsManyFramesInOneMessage) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  connect(a, b);
  for (int i = 0; i < 1'000; ++i) a.transport().send(a.up(), Lane::kForward, bytes_of("x"));
  ASSERT_TRUE(a.wait([&] { return a.transport().unsent_bytes(a.up()) == 0; }));
  ASSERT_TRUE(b.wait_frames(Lane::kForward, 1'000));
  EXPECT_LE(b.batches(), 2u);
}

TEST(PeerTransport, TheLargestFrameCrosses) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  connect(a, b);
  const std::string frame(kFrameBytesMax, 'x');
  a.transport().send(a.up(), Lane::kBulk, bytes_of(frame));
  a.transport().poll(now_for_lanes());
  ASSERT_TRUE(b.wait_frames(Lane::kBulk, 1));
  EXPECT_EQ(b.frames(Lane::kBulk)[0], frame);
}

TEST(PeerTransport, AClosedLinkIsDownOnTheOtherSideAndCanBeDialledAgain) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  connect(a, b);
  a.transport().close(a.up());
  ASSERT_TRUE(b.wait_down());
  EXPECT_EQ(b.down(), b.up());
  EXPECT_EQ(b.reason(), "the peer closed the connection");
  EXPECT_EQ(a.down(), 0u);
  const LinkId closed = a.up();
  a.forget();
  b.forget();
  connect(a, b);
  // What is sent on a link of the past goes nowhere.
  a.transport().send(closed, Lane::kControl, bytes_of("late"));
  a.transport().send(a.up(), Lane::kControl, bytes_of("now"));
  a.transport().poll(now_for_lanes());
  ASSERT_TRUE(b.wait_frames(Lane::kControl, 1));
  EXPECT_EQ(b.frames(Lane::kControl)[0], "now");
}

TEST(PeerTransport, ANodeThatStopsTakesItsLinksDown) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  connect(a, b);
  const LinkId link = a.up();
  b.stop();
  ASSERT_TRUE(a.wait_down());
  EXPECT_EQ(a.down(), link);
}

TEST(PeerTransport, ADialThatFindsNobodyEndsAtOnceEachTime) {
  Node a(Node::insecure());
  Node gone(Node::insecure());
  const std::string address = gone.address();
  gone.stop();
  const auto start = steady_clock::now();
  for (int i = 0; i < 5; ++i) {
    const LinkId link = a.dial(address);
    ASSERT_TRUE(a.wait_down());
    EXPECT_EQ(a.down(), link);
    EXPECT_THAT(a.reason(), HasSubstr("onnection refused")) << i;
    a.forget();
  }
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(PeerTransport, ADialThatNobodyAnswersEndsInTime) {
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(silent, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(silent, 8), 0);
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);

  PeerTransportOptions options = Node::insecure();
  options.open_timeout = Duration::millis(300);
  Node a(options);
  a.dial("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  EXPECT_TRUE(a.wait_down());
  EXPECT_EQ(a.reason(), "no answer in time");
  ::close(silent);
}

TEST(PeerTransport, EachAttemptTakesTheNextAddressOfAName) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  // localhost may also be ::1, where nobody listens.
  for (int i = 0; i < 4 && a.up() == 0; ++i) {
    a.forget();
    a.dial("localhost:" + std::to_string(b.transport().port()));
    ASSERT_TRUE(a.wait([&] { return a.up() != 0 || a.down() != 0; }));
  }
  EXPECT_NE(a.up(), 0u) << a.reason();
}

TEST(PeerTransport, AnUnknownNameIsNamed) {
  Node a(Node::insecure());
  a.dial("no-such-host.invalid:1");
  EXPECT_TRUE(a.wait_down());
  EXPECT_THAT(a.reason(), HasSubstr("no-such-host.invalid:1: "));
}

TEST(PeerTransport, ALinkClosedWhileItOpensIsNeverHeardOfAgain) {
  Node a(Node::insecure());
  Node b(Node::insecure());
  const LinkId link = a.dial(b.address());
  a.transport().close(link);
  connect(a, b);  // the next link, asserted by its sink to be the only one
  EXPECT_NE(a.up(), link);
}

TEST(PeerTransport, AnAddressInUseIsNamed) {
  Node a(Node::insecure());
  PeerTransportOptions options = Node::insecure();
  options.listen = a.address();
  const auto second = PeerTransport::start(options, a);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().message(), "peer address " + a.address() + ": Address already in use");
}

// ---- mutual TLS

class PeerTls : public testing::Test {
 protected:
  PeerTls() { std::filesystem::create_directories(folder_); }
  ~PeerTls() override { std::filesystem::remove_all(folder_); }

  static void copy(const TestCertificate& from, const TestCertificate& to) {
    constexpr auto kOver = std::filesystem::copy_options::overwrite_existing;
    std::filesystem::copy_file(from.cert, to.cert, kOver);
    std::filesystem::copy_file(from.key, to.key, kOver);
    std::filesystem::copy_file(from.ca, to.ca, kOver);
  }

  const std::string folder_ = testing::TempDir() + "/shoal-peer-tls-" + std::to_string(::getpid());
};

TEST_F(PeerTls, PeersOfOneAuthorityConnect) {
  TestAuthority authority(folder_, "ours");
  Node a(Node::secure(authority.issue("a")));
  Node b(Node::secure(authority.issue("b")));
  connect(a, b);
  a.transport().send(a.up(), Lane::kControl, bytes_of("secret"));
  a.transport().poll(now_for_lanes());
  ASSERT_TRUE(b.wait_frames(Lane::kControl, 1));
}

TEST_F(PeerTls, StrangersAreRefused) {
  TestAuthority ours(folder_, "ours");
  TestAuthority theirs(folder_, "theirs");
  Node a(Node::secure(ours.issue("a")));
  Node stranger(Node::secure(theirs.issue("stranger")));
  Node plain(Node::insecure());
  for (Node* from : {&stranger, &plain}) {
    from->dial(a.address());
    EXPECT_TRUE(from->wait_down());
    EXPECT_EQ(from->up(), 0u);
  }
  a.dial(stranger.address());
  EXPECT_TRUE(a.wait_down());
  EXPECT_EQ(a.up(), 0u);
}

TEST_F(PeerTls, CertificatesAreExchangedWhileLinksStayUp) {
  TestAuthority before(folder_, "before");
  TestAuthority after(folder_, "after");
  const TestCertificate files_a = before.issue("a");
  const TestCertificate files_b = before.issue("b");
  Node a(Node::secure(files_a));
  Node b(Node::secure(files_b));
  connect(a, b);

  Node c(Node::secure(after.issue("c")));
  copy(after.issue("b2"), files_b);
  ASSERT_TRUE(b.transport().reload_certificates().ok());
  // gRPC takes over what it is given within a second or two.
  bool connected = false;
  for (int i = 0; i < 40 && !connected; ++i) {
    c.forget();
    c.dial(b.address());
    ASSERT_TRUE(c.wait([&] { return c.up() != 0 || c.down() != 0; }));
    connected = c.up() != 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  EXPECT_TRUE(connected) << c.reason();
  EXPECT_EQ(a.down(), 0u);
}

TEST_F(PeerTls, FilesThatDoNotFitAreNamedAndChangeNothing) {
  TestAuthority authority(folder_, "ours");
  const TestCertificate files = authority.issue("a");
  const TestCertificate other = authority.issue("b");
  Node a(Node::secure(files));

  std::filesystem::copy_file(other.key, files.key,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_THAT(std::string(a.transport().reload_certificates().message()),
              HasSubstr(files.key + ": is not the key of " + files.cert));
  std::ofstream(files.cert) << "no certificate";
  EXPECT_THAT(std::string(a.transport().reload_certificates().message()),
              HasSubstr(files.cert + ": no PEM certificate"));
  std::filesystem::remove(files.ca);
  EXPECT_THAT(std::string(a.transport().reload_certificates().message()),
              HasSubstr(files.ca + ": cannot be read"));
}

}  // namespace
}  // namespace shoal
