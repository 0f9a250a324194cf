// The bodies of Boost's header-only libraries: compiled here, once, instead of in every file that
// includes them (Asio and Beast in separate-compilation mode, JSON and URL in their header-only form).
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/json/src.hpp>
#include <boost/url/src.hpp>
