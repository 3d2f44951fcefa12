# Prints, as JSON, what OpenSSL's Configure found out and native/build/openssl.py needs:
# the files of its libraries, what they are compiled with, and the files that a program
# writes. Run where it was configured: perl -I. openssl_answers.pl
use strict;
use warnings;
use configdata;
use JSON::PP;

our %unified_info;
my @libraries =
    ('libcrypto', 'libssl', 'providers/libcommon.a', 'providers/libdefault.a');
my (@files, %needed);
for my $library (@libraries) {
    for my $object (@{ $unified_info{sources}{$library} }) {
        next if $object =~ /\.a$/;    # one of the others
        my ($source) = @{ $unified_info{sources}{$object} };
        my @folders = (
            @{ $unified_info{includes}{$object}  // [] },
            @{ $unified_info{includes}{$library} // [] },
        );
        my @macros = (
            @{ $unified_info{defines}{$library} // [] },
            @{ $unified_info{defines}{$object}  // [] },
        );
        push @files, { name => $source, macros => \@macros, folders => \@folders };
        $needed{$source} = 1;
    }
}
my @written = grep {
    $needed{$_} || m{^(crypto|include|providers|ssl)/.*\.h$}
} sort keys %{ $unified_info{generate} };
print JSON::PP->new->canonical->encode({ files => \@files, written => \@written });
