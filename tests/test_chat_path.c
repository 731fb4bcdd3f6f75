/*
 * A network that goes dead without a word: chat -k notices within 60 s, whether or not its lines
 * were acknowledged, and a server that does not read is not dead. The cable is cut at a socket that
 * asks for a time to live which the packets of loopback do not have: its kernel drops them in
 * silence.
 */
#include "chat_process.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#ifdef __linux__

/* By kernel timers, however busy the machine is. */
#define NOTICED_MS 60000

static void cut(const struct fake *fake)
{
    const int ttl = 255;

    ck_assert_int_eq(setsockopt(fake->fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof ttl), 0);
}

/* Chat with -k, in the room of this server. */
static void begin(struct chat *chat, struct fake *fake)
{
    fake_open(fake);
    chat_start(chat, "-k", "-n", "ann", fake->address);
    fake_accept(fake);
    fake_welcome(fake, "ann");
    chat_type(chat, "hello\n");
    ck_assert_str_eq(fake_read(fake), "hello");
    fake_say(fake, "msg ann hello");
    chat_seek(chat, "*ann: hello");
}

static void end(struct chat *chat, struct fake *fake)
{
    kill(chat->pid, SIGTERM);
    ck_assert_int_eq(chat_exit(chat, 10000), 128 + SIGTERM);
    fake_close(fake);
    chat_end(chat);
}

/* begun, of calm_ms(), is when its path was cut. */
static void expect_return(struct chat *chat, struct fake *fake, int64_t begun)
{
    int64_t deadline = deadline_in(NOTICED_MS);
    while (!fake_try_accept(fake))
        ensure(deadline_wait(deadline), "the dead path was not noticed");
    ensure_prompt(begun, NOTICED_MS);
    chat_seek_error(chat, "chat: the server went away; trying to come back");
}

/* More than the server's kernel has room for. */
static void type_much(struct chat *chat)
{
    static char lines[1 << 19];

    for (size_t i = 0; i < sizeof lines; i++)
        lines[i] = (char)(i % 1000 == 999 ? '\n' : 'x');
    chat_write(chat, lines, sizeof lines);
}

/*
 * Three at once, for it takes its time. The first has a line under way that nothing acknowledges;
 * of the second one was acknowledged and waits for its echo. The third has a server that does not
 * read, and is left alone until its path is cut, too.
 */
START_TEST(dead_paths)
{
    int64_t begun = calm_ms();
    int64_t noticed = clock_ms() + NOTICED_MS;
    struct chat chats[3];
    struct fake fakes[3];

    for (int i = 0; i < 3; i++)
        begin(&chats[i], &fakes[i]);
    cut(&fakes[0]);
    chat_type(&chats[0], "lost\n");
    chat_type(&chats[1], "waits\n");
    ck_assert_str_eq(fake_read(&fakes[1]), "waits");
    cut(&fakes[1]);
    type_much(&chats[2]);
    expect_return(&chats[0], &fakes[0], begun);
    expect_return(&chats[1], &fakes[1], begun);
    while (deadline_wait(noticed))
        ensure(!fake_try_accept(&fakes[2]), "a server that does not read was left");
    cut(&fakes[2]);
    expect_return(&chats[2], &fakes[2], calm_ms());
    for (int i = 0; i < 3; i++)
        end(&chats[i], &fakes[i]);
}
END_TEST

/*
 * The pause before the next attempt is cut short by the end of -w: what counts is what the server
 * has said, and not that it does not answer in no time at all, as no server far away does.
 */
START_TEST(the_end_of_the_first_attempts)
{
    struct chat chat;
    struct fake fake;
    const int ttl = 255;
    int status;
    bool late;

    do {
        int64_t begun = clock_ms();
        fake_open(&fake);
        chat_start(&chat, "-k", "-w", "1", "-n", "ann", fake.address);
        fake_accept(&fake);
        poll(NULL, 0, 960); /* less than the shortest pause is left */
        ck_assert_int_eq(setsockopt(fake.listener, IPPROTO_IP, IP_MINTTL, &ttl, sizeof ttl), 0);
        fake_say(&fake, "error full no place");
        late = clock_ms() - begun >= 1000; /* the server may have been silent for too long */
        status = chat_exit(&chat, 10000);
        if (status == EX_TEMPFAIL)
            chat_seek_error(&chat, "chat: the room is full: no place");
        fake_close(&fake);
        chat_end(&chat);
    } while (status != EX_TEMPFAIL && late);
    ck_assert_int_eq(status, EX_TEMPFAIL);
}
END_TEST

#endif

int main(void)
{
    const struct test tests[] = {
#ifdef __linux__
        {dead_paths, 1, 200},
        {the_end_of_the_first_attempts, 1, 20},
#endif
        {NULL, 0, 0},
    };

    return tests_run("chat_path", tests, COUNT_OF(tests) - 1);
}
