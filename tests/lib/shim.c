/* Preloaded into a private sendmail, for what it would need a system for:
 *
 * - a host name with a dot; without one it sleeps for 60 s when it starts,
 *   before it has read its configuration
 * - syslog: its lines are appended to the file $SHIM_LOG
 * - clients from afar: a connection whose client port is the name of a file in
 *   $SHIM_CLIENTS seems to come from the address that the file holds
 *
 *	cc -shared -fPIC -o shim.so shim.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <syslog.h>
#include <unistd.h>

#define HOST_NAME "sm.test.example"

/* Read at once, since sendmail clears its environment. */
static char log_file[256], clients[256];

__attribute__((constructor)) static void
remember(void)
{
	const char *log = getenv("SHIM_LOG"), *folder = getenv("SHIM_CLIENTS");

	snprintf(log_file, sizeof(log_file), "%s", log ? log : "");
	snprintf(clients, sizeof(clients), "%s", folder ? folder : "");
}

/* The priority, as postmasters know it from syslog's own files. */
static const char *const level[] = {
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

/* At once, or the lines of several processes get into each other. */
static void
append(int priority, const char *format, va_list arguments)
{
	int fd =
	    open(log_file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	char line[8192];
	size_t length;

	if (fd == -1)
		return;
	length = (size_t)snprintf(line, sizeof(line),
	    "sendmail[%d]: %s: ", (int)getpid(), level[priority & 7]);
	vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	length = strlen(line);
	line[length++] = '\n';
	if (write(fd, line, length) < 0)
		length = 0; /* nobody to tell */
	close(fd);
}

int
gethostname(char *name, size_t size)
{
	return snprintf(name, size, "%s", HOST_NAME) < (int)size ? 0 : -1;
}

int
uname(struct utsname *names)
{
	memset(names, 0, sizeof(*names));
	strcpy(names->sysname, "Linux");
	strcpy(names->nodename, HOST_NAME);
	return 0;
}

void
syslog(int priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(priority, format, arguments);
	va_end(arguments);
}

/* What a program built with _FORTIFY_SOURCE calls instead. */
void __syslog_chk(int priority, int flag, const char *format, ...);

void
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	(void)flag;
	va_start(arguments, format);
	append(priority, format, arguments);
	va_end(arguments);
}

/* Put the pretended address, if there is one, in place of the true one. */
static void
pretend(struct sockaddr *address)
{
	/* the port lies at the same place in both kinds of address */
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	char path[sizeof(clients) + 16], text[INET6_ADDRSTRLEN] = "";
	FILE *file;

	if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
		return;
	snprintf(path, sizeof(path), "%s/%d", clients, ntohs(v4->sin_port));
	if (!(file = fopen(path, "r")))
		return;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	if (address->sa_family == AF_INET)
		inet_pton(AF_INET, text, &v4->sin_addr);
	else
		inet_pton(AF_INET6, text, &v6->sin6_addr);
}

int
accept(int fd, struct sockaddr *address, socklen_t *size)
{
	int (*real)(int, struct sockaddr *, socklen_t *) =
	    dlsym(RTLD_NEXT, "accept");
	int client = real(fd, address, size);

	if (client != -1 && address)
		pretend(address);
	return client;
}

int
getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
	int (*real)(int, struct sockaddr *, socklen_t *) =
	    dlsym(RTLD_NEXT, "getpeername");
	int result = real(fd, address, size);

	if (result == 0)
		pretend(address);
	return result;
}
