#include "cluster/rpc/name_resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <utility>
#include <vector>

namespace shoal {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

std::string text_of(const addrinfo& address, const std::string& port) {
  char host[NI_MAXHOST] = {};
  ::getnameinfo(address.ai_addr, address.ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST);
  const std::string literal = address.ai_family == AF_INET6 ? "[" + std::string(host) + "]" : host;
  return literal + ":" + port;
}

}  // namespace

NameResolver::~NameResolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void NameResolver::resolve(std::string host_port, Done done) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(host_port), std::move(done)});
  }
  changed_.notify_one();
}

void NameResolver::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.done(look_up(job.host_port));
    lock.lock();
  }
}

absl::StatusOr<std::string> NameResolver::look_up(const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  std::string host = host_port.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : host_port.substr(colon + 1);
  if (host.size() > 1 && host.front() == '[') host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    const std::string what = host_port + ": " + ::gai_strerror(error);
    return absl::NotFoundError(absl::string_view(what.data(), what.size()));
  }
  const AddressList list(found, freeaddrinfo);
  std::vector<const addrinfo*> addresses;
  for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
    addresses.push_back(each);
  }
  return text_of(*addresses[turns_[host_port]++ % addresses.size()], port);
}

}  // namespace shoal
