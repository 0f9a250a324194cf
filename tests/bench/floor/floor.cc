// The floor of the machine: what forwarding costs when a broker does nothing else. One epoll loop,
// one read an event into one buffer, one write a connection and turn, the received bytes passed on as
// they are with only the packet identifier replaced.
//
// It knows of MQTT what `shoal bench` sends when all goes well and believes every byte: no sessions,
// no checks, no flow control, no keep-alive. It is a yardstick and not a broker.
//
//   floor PORT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/bench/floor/topics.h"

namespace shoal::floor {
namespace {

constexpr size_t kBufferBytes = 128 * 1024;

struct Connection {
  int fd = -1;
  bool is_dirty = false;
  bool waits_to_write = false;
  bool is_5 = false;
  uint16_t next_id = 0;
  std::string partial;   // of a packet that has not come whole
  std::string outgoing;  // for one write at the end of the turn
};

// A packet as it came: `all` with its fixed header, `body` behind it.
struct Packet {
  std::string_view all, body;
  int type() const { return static_cast<uint8_t>(all[0]) >> 4; }
  int qos() const { return (all[0] >> 1) & 3; }
};

// False: it is not whole.
bool next_packet(std::string_view bytes, Packet& packet) {
  size_t length = 0, at = 1;
  for (int shift = 0; at < bytes.size(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes[at++]);
    length |= static_cast<size_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) != 0) continue;
    if (bytes.size() < at + length) return false;
    packet = {bytes.substr(0, at + length), bytes.substr(at, length)};
    return true;
  }
  return false;
}

size_t number_at(std::string_view bytes, size_t at) {
  return static_cast<size_t>(static_cast<uint8_t>(bytes[at])) << 8 |
         static_cast<uint8_t>(bytes[at + 1]);
}

class Floor {
 public:
  explicit Floor(int listener) : listener_(listener), epoll_(epoll_create1(0)) {
    watch(listener_, EPOLLIN, EPOLL_CTL_ADD);
  }

  void turn() {
    epoll_event events[256];
    const int count = epoll_wait(epoll_, events, 256, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener_) {
        accept_one();
        continue;
      }
      if ((events[i].events & EPOLLOUT) != 0) write_to(*connections_[fd]);
      if ((events[i].events & ~EPOLLOUT) != 0) read_from(fd);
    }
    for (Connection* const c : dirty_) {
      c->is_dirty = false;
      if (!c->waits_to_write) write_to(*c);
    }
    dirty_.clear();
  }

 private:
  void watch(int fd, uint32_t events, int operation) {
    epoll_event event{events, {.fd = fd}};
    epoll_ctl(epoll_, operation, fd, &event);
  }

  void accept_one() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connections_.size() <= static_cast<size_t>(fd)) connections_.resize(fd + 1);
    connections_[fd] = new Connection;
    connections_[fd]->fd = fd;
    watch(fd, EPOLLIN, EPOLL_CTL_ADD);
  }

  void read_from(int fd) {
    Connection& c = *connections_[fd];
    const ssize_t size = recv(fd, buffer_, kBufferBytes, 0);
    if (size < 0) return;
    if (size == 0) return drop(c);
    std::string_view rest(buffer_, static_cast<size_t>(size));
    std::string joined;
    if (!c.partial.empty()) {
      joined.swap(c.partial);
      rest = joined.append(rest);
    }
    for (Packet packet; next_packet(rest, packet); rest.remove_prefix(packet.all.size())) {
      on_packet(c, packet);
    }
    c.partial.assign(rest);
  }

  void drop(Connection& c) {
    topics_.forget(&c);
    std::erase(dirty_, &c);
    close(c.fd);
    connections_[c.fd] = nullptr;
    delete &c;
  }

  void on_packet(Connection& c, const Packet& packet) {
    switch (packet.type()) {
      case 1: return on_connect(c, packet.body);
      case 3: return on_publish(c, packet);
      case 5: return answer(c, 0x62, packet.body);  // PUBREC: PUBREL
      case 6: return answer(c, 0x70, packet.body);  // PUBREL: PUBCOMP
      case 8: return on_subscribe(c, packet.body);
      case 12: return append(c, std::string_view("\xD0\x00", 2));
      default: return;  // PUBACK, PUBCOMP, DISCONNECT: nothing is kept that they would end
    }
  }

  void on_connect(Connection& c, std::string_view body) {
    c.is_5 = body[6] == 5;
    append(c, c.is_5 ? std::string_view("\x20\x03\x00\x00\x00", 5)
                     : std::string_view("\x20\x02\x00\x00", 4));
  }

  // One filter a packet.
  void on_subscribe(Connection& c, std::string_view body) {
    const size_t filter_at = c.is_5 ? 3 + static_cast<uint8_t>(body[2]) : 2;
    const size_t length = number_at(body, filter_at);
    topics_.subscribe(body.substr(filter_at + 2, length), &c);
    std::string suback("\x90\x00", 2);
    suback.append(body.substr(0, 2));
    if (c.is_5) suback.push_back(0);
    suback.push_back(static_cast<char>(body.back() & 3));
    suback[1] = static_cast<char>(suback.size() - 2);
    append(c, suback);
  }

  void on_publish(Connection& c, const Packet& packet) {
    const size_t topic_length = number_at(packet.body, 0);
    const auto& targets = topics_.targets_of(packet.body.substr(2, topic_length));
    const size_t header = packet.all.size() - packet.body.size();
    const size_t id_at = header + 2 + topic_length;
    for (const auto& each : targets) {
      Connection& to = *static_cast<Connection*>(each.pick());
      const size_t begin = to.outgoing.size();
      append(to, packet.all);
      if (packet.qos() == 0) continue;
      if (++to.next_id == 0) to.next_id = 1;
      to.outgoing[begin + id_at] = static_cast<char>(to.next_id >> 8);
      to.outgoing[begin + id_at + 1] = static_cast<char>(to.next_id);
    }
    if (packet.qos() != 0) {
      answer(c, packet.qos() == 1 ? 0x40 : 0x50, packet.all.substr(id_at, 2));
    }
  }

  void answer(Connection& c, int first_byte, std::string_view id) {
    const char bytes[] = {static_cast<char>(first_byte), 2, id[0], id[1]};
    append(c, std::string_view(bytes, sizeof bytes));
  }

  void append(Connection& c, std::string_view bytes) {
    c.outgoing.append(bytes);
    if (c.is_dirty) return;
    c.is_dirty = true;
    dirty_.push_back(&c);
  }

  void write_to(Connection& c) {
    const ssize_t size = send(c.fd, c.outgoing.data(), c.outgoing.size(), MSG_NOSIGNAL);
    if (size > 0) c.outgoing.erase(0, static_cast<size_t>(size));
    const bool is_full = !c.outgoing.empty();
    if (!is_full && c.outgoing.capacity() > kKeptBytes) c.outgoing.shrink_to_fit();
    if (is_full == c.waits_to_write) return;
    c.waits_to_write = is_full;
    watch(c.fd, is_full ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
  }

  static constexpr size_t kKeptBytes = 64 * 1024;

  const int listener_;
  const int epoll_;
  char buffer_[kBufferBytes];
  std::vector<Connection*> connections_;  // by descriptor
  std::vector<Connection*> dirty_;
  Topics topics_;
};

int listen_on(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_bound = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (!is_bound || listen(fd, 4096) != 0) {
    std::perror("floor");
    std::exit(1);
  }
  return fd;
}

}  // namespace
}  // namespace shoal::floor

int main(int argc, char** argv) {
  if (argc != 2 || std::atoi(argv[1]) <= 0) {
    std::fputs("usage: floor PORT\n", stderr);
    return 2;
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  auto* const floor =
      new shoal::floor::Floor(shoal::floor::listen_on(static_cast<uint16_t>(std::atoi(argv[1]))));
  while (true) floor->turn();
}
