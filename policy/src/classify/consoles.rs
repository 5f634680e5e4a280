//! Code and orders that stand in the arguments of programs which are no interpreters by their names.

use super::judged::{at_least, at_most};
use crate::class::Class::{Red as R, Yellow as Y, YellowExternal as E};

#[test]
fn code_for_a_framework_is_judged_as_code() {
    at_least(
        R,
        &[
            "php artisan tinker --execute='User::truncate();'",
            "php artisan tinker --execute 'User::truncate();'",
            "php artisan tinker",
            "echo 'User::truncate()' | php artisan tinker",
            "php artisan tinker <<< 'system(\"id\");'",
            "cat a | php artisan tinker",
            "php -d a=b artisan tinker --execute 'x();'",
            "./artisan tinker --execute 'x();'",
            "./vendor/bin/sail artisan tinker --execute 'x();'",
            "sail tinker --execute='x();'",
            "docker compose exec app php artisan tinker --execute 'x();'",
            "rails runner 'User.delete_all'",
            "rails r 'User.delete_all'",
            "bin/rails runner 'User.delete_all'",
            "bundle exec rails runner 'User.delete_all'",
            "bundle exec rails r -e production 'User.delete_all'",
            "echo 'User.delete_all' | rails runner -",
            "bin/rails c <<< 'User.delete_all'",
            "rails c",
            "ruby bin/rails runner 'User.delete_all'",
            "drush ev 'x();'",
            "drush php:eval 'x();'",
            "wp eval 'x();'",
            "echo 'x();' | wp shell",
            "python manage.py shell_plus --command 'x()'",
            "python manage.py shell_plus -c'x()'",
            "echo 'x()' | python manage.py shell",
        ],
    );
    at_most(
        Y,
        &[
            "rails runner 'puts 1'",
            "bundle exec rails runner script/a.rb",
            "php artisan tinker --execute='echo 1;'",
            "wp eval 'echo 1;'",
            "php artisan migrate",
            "rails routes",
            "wp plugin list",
        ],
    );
}

#[test]
fn orders_to_copy_are_judged_one_by_one() {
    for program in ["sftp host", "sftp -b - host", "ftp -n host", "lftp host", "smbclient //a/b", "ncftp host"] {
        let fed = |text: &str| format!("{program} <<'END'\n{text}\nEND");
        let low: Vec<String> = [
            "rm x",
            "cd a\nrm x",
            "rmdir x",
            "rename a b",
            "chmod 777 x",
            "get a .envrc",
            "lcd /etc\nget motd",
            "!rm -rf a",
            "delete a",
            "get a |sh",
        ]
        .map(fed)
        .into();
        at_least(R, &low.iter().map(String::as_str).collect::<Vec<_>>());
        if !program.starts_with("ncftp") {
            let high: Vec<String> = ["ls", "put a", "get a", "cd x\nmkdir y\nput a y/a\nbye"].map(fed).into();
            at_most(E, &high.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    at_least(
        R,
        &[
            "echo 'rm x' | sftp host",
            "printf 'cd a\\nrm x\\n' | sftp -b - host",
            "cat a | sftp host",
            "sftp host <<< \"$x\"",
            "echo 'rm x' > batch; sftp -b batch host",
            "lftp -c 'open host; rm x'",
            "smbclient //a/b -c 'del x'",
            "smbclient //a/b --command='cd y; del x'",
        ],
    );
    at_least(E, &["sftp host <<< 'put a'", "ftp host <<< 'ls'", "smbclient //a/b -c 'put x'"]);
    at_most(E, &["sftp host", "sftp -b batch host", "sftp host:a b", "smbclient //a/b -c 'ls; get x'"]);
}

#[test]
fn code_of_rarer_languages_has_the_same_floor() {
    at_least(
        R,
        &[
            "lua -e 'f(\"x\")'",
            "lua -e 'os.remove(\"a\")'",
            "lua -e 'local os = os os.remove(\"a\")'",
            "lua -e 'os.rename(\"a\", \"b\")'",
            "lua -e 'os.exit(os.getenv(\"a\"))'",
            "lua -e 'io.lines(\"a\")'",
            "lua -e 'print(string.dump(print))'",
            "lua5.4 -e 'os.execute(\"id\")'",
            "lua -e '_G[\"o\"..\"s\"][\"execute\"](\"id\")'",
            "lua -e 'local x = load x(\"a\")'",
            "lua -e 'require\"a\"'",
            "lua -e 'x = [[a]] f()'",
            "lua -e \"--'\nos.execute('id')--'\"",
            "luajit -e 'io.popen(\"id\")'",
            "echo 'f()' | lua",
            "Rscript -e 'foo()'",
            "Rscript -e 'sys(1)'",
            "R -q -e 'install.packages(\"a\")'",
            "R --slave -e 'x <- system; x(\"id\")'",
            "Rscript -e 'cat(1, file=\"a\")'",
            "Rscript -e 'sapply(\"id\", \"system\")'",
            "Rscript -e '`system`(\"id\")'",
            "tclsh <<< 'foo bar'",
            "tclsh <<< 'puts [foo]'",
            "tclsh <<< '$x id'",
            "expect -c 'foo'",
            "expect -c 'spawn id'",
        ],
    );
    at_most(
        Y,
        &[
            "lua -e 'print(1 + 1)'",
            "lua -e 'local t = {1, 2} for i, v in ipairs(t) do print(string.format(\"%d\", v)) end'",
            "lua -v",
            "Rscript -e 'mean(c(1,2))'",
            "Rscript -e 'print(sum(1:10))'",
            "R -q -e 'summary(c(1,2,3))'",
            "tclsh <<< 'puts 1'",
            "tclsh <<< 'puts [expr {1 + 2}]'",
            "expect -c 'puts 1'",
            "Rscript a.R",
        ],
    );
}
