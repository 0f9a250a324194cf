#include "tests/runtime/test_node.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <future>

#include "shoal/assert.h"

namespace shoal {
namespace {

using std::string_literals::operator""s;

constexpr int kPatienceMs = 20'000;  // loaded machines, sanitizers

std::string field(std::string_view text) {
  std::string bytes = {static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xFF)};
  return bytes.append(text);
}

std::string packet(int first_byte, const std::string& body) {
  std::string bytes(1, static_cast<char>(first_byte));
  size_t rest = body.size();
  do {
    bytes += static_cast<char>((rest & 0x7F) | (rest > 0x7F ? 0x80 : 0));
    rest >>= 7;
  } while (rest != 0);
  return bytes + body;
}

}  // namespace

const std::string kConnack = "\x20\x02\0\0"s;
const std::string kPing = "\xC0\0"s;
const std::string kPong = "\xD0\0"s;
const std::string kSuback = "\x90\x03\0\1\0"s;

std::string connect_packet(std::string_view client_id) {
  return packet(0x10, field("MQTT") + "\x04\x02\0\0"s + field(client_id));
}
std::string subscribe_packet(std::string_view filter) {
  return packet(0x82, "\0\1"s + field(filter) + "\0"s);
}
std::string publish_packet(std::string_view topic, std::string_view payload) {
  return packet(0x30, field(topic).append(payload));
}

TestNode::TestNode(Options options)
    : ledger_(options.workers,
              std::vector<uint32_t>(std::max<size_t>(1, options.transports.size())),
              options.connections_max),
      loads_(options.workers),
      board_(options.workers),
      log_({.level = LogLevel::kError}),
      world_{hub_, desk_, ledger_, loads_, board_, log_, {}, {}} {
  if (options.transports.empty()) options.transports.emplace_back();
  BrokerConfig config;
  config.limits = options.limits;
  config.listeners.clear();
  for (auto& transport : options.transports) {
    ListenerConfig listener;
    listener.name = "test";
    listener.address = {"127.0.0.1", 0};
    auto socket = listen_on(listener);
    SHOAL_ASSERT(std::holds_alternative<ListeningSocket>(socket));
    sockets_.push_back(std::get<ListeningSocket>(std::move(socket)));
    const int fd = sockets_.back().fd.get();
    world_.listeners.push_back(
        {fd, "test", std::move(transport), std::make_shared<ListenerGate>(fd)});
    config.listeners.emplace_back();
  }
  for (const size_t i : options.behind_balancer) world_.listeners[i].is_behind_balancer = true;
  for (int i = 0; i < options.workers; ++i) {
    config.worker = static_cast<WorkerIndex>(i);
    world_.workers.push_back(std::make_unique<Worker>(config, 7, world_));
  }
  hub_.connect(world_.workers);
  for (const auto& worker : world_.workers) worker->start();
}

TestNode::~TestNode() {
  for (const auto& worker : world_.workers) worker->stop();
}

void TestNode::on_worker(size_t index, const std::function<void(Worker&)>& task) {
  std::promise<void> done;
  worker(index).post(WorkerTask([&](Worker& worker) {
    task(worker);
    done.set_value();
  }));
  done.get_future().wait();
}

TestClient::TestClient(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  SHOAL_ASSERT(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

void TestClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

std::string TestClient::receive(size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "nothing came";
      break;
    }
    const ssize_t got = ::recv(fd_.get(), bytes.data() + have, size - have, 0);
    if (got <= 0) break;
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

bool TestClient::is_closed() {
  char byte = 0;
  pollfd ready{fd_.get(), POLLIN, 0};
  while (::poll(&ready, 1, kPatienceMs) == 1) {
    if (::recv(fd_.get(), &byte, 1, 0) <= 0) return true;
  }
  return false;
}

}  // namespace shoal
