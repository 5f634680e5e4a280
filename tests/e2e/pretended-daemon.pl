#!/usr/bin/perl
# Stands in for wardkeep-agent where only the installer and systemd are on trial. Perl, because every Debian has it.
use strict;
use warnings;
use IO::Socket::UNIX;
use POSIX;

my $state = "/var/lib/wardkeep";
my $verb  = shift @ARGV // "";
$| = 1;

sub put {
    my ($path, $text) = @_;
    open my $file, ">", $path or die "$path: $!";
    print $file $text;
}

sub key {
    open my $file, "<", "$ENV{CREDENTIALS_DIRECTORY}/vault-key" or die "no vault key: $!";
    my $key = <$file>;
    $key =~ /^[0-9a-f]{64}$/ or die "not a key";
    return $key;
}

sub tell_systemd {
    my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Peer => $ENV{NOTIFY_SOCKET}) or die "notify: $!";
    $socket->send(shift);
}

if ($verb eq "--version") {
    print "wardkeep-agent 0.0.0\n";
} elsif ($verb eq "enrol") {
    my $token = <STDIN>;
    mkdir "$state/identity";
    put("$state/identity/token-was", $token);
    put("$state/identity/tenant.json", "{}\n");
} elsif ($verb eq "vault") {
    my $key = key();
    if ($ARGV[0] eq "init") { put("$state/vault.db", "sealed\n") }
    else                    { print "vault @ARGV ", (getpwuid($<))[0], " ", -t STDIN ? "terminal" : scalar <STDIN>, "\n" }
} elsif ($verb eq "status" || $verb eq "doctor") {
    exit(-e "/etc/wardkeep/pretend-offline" ? 1 : 0);
} elsif ($verb eq "run") {
    exit 1 if -e "/etc/wardkeep/pretend-broken";
    key();
    put("/tmp/of-the-daemon", "x");
    # A permitted command: detached, writes a line every tenth of a second, for as long as it lives.
    $SIG{USR1} = sub {
        return if fork;
        setsid();
        $SIG{TERM} = "DEFAULT";
        while (1) { put("$state/runner", "$$ " . time . (-e "/tmp/of-the-daemon" ? " tmp" : " no-tmp") . "\n"); select undef, undef, undef, 0.1 }
    };
    tell_systemd("READY=1");
    while (1) { tell_systemd("WATCHDOG=1"); select undef, undef, undef, 0.2 }
} elsif ($verb eq "helper") {
    exit 0 if @ARGV;
    tell_systemd("READY=1");
    sleep 1000 while 1;
} else {
    exit 2;
}
