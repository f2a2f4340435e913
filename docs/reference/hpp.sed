# Names of ata.hpp are shown as they are written: ata::Model, without the inline namespace that they live in.
s/^inline namespace hpp1 {//
s/^}  \/\/ namespace hpp1//
