#!/bin/sh
# gate.sh COMPILER SOURCE-DIR SCRATCH-DIR: the gate to the ABI closes. Each change below would break modules that exist, and
# constants.sh or members.py, which compare the headers with those of the first release, refuses it. What is added at the
# end of a table needs a new size in offsets.c: then it passes.
set -eu
compiler=$1 source=$2 scratch=$3
failed=0
# try NAME FILE SED-SCRIPT
try() {
    name=$1 file=$2 script=$3
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/tests"
    cp -r "$source/include" "$scratch/tree/include"
    cp -r "$source/tests/abi" "$scratch/tree/tests/abi"
    sed "$script" "$source/include/chancery/$file" >"$scratch/tree/include/chancery/$file"
    if [ "$name" != nothing ] && cmp -s "$source/include/chancery/$file" "$scratch/tree/include/chancery/$file"; then
        echo "FAIL $name: the change does not apply any more"
        failed=1
    fi
    if sh "$scratch/tree/tests/abi/constants.sh" "$compiler" "$scratch/tree" "$scratch/out" >"$scratch/log" 2>&1 &&
        python3 -B "$scratch/tree/tests/abi/members.py" "$scratch/tree" >>"$scratch/log" 2>&1; then
        verdict=passes
    else
        verdict=refused
    fi
    expected=refused
    [ "$name" = nothing ] && expected=passes
    if [ $verdict = $expected ]; then echo "ok   $name: $verdict"; else
        failed=1
        echo "FAIL $name: $verdict"
        tail -n 5 "$scratch/log"
    fi
}
mkdir -p "$scratch"
try nothing module.h ''
try member-in-between module.h 's/^    chy_hresult (\*shut_down)(void \*self);/    int added;\n&/'
try member-removed module.h '/(\*time_left)/d'
try members-swapped module.h 's/^    void \*(\*alloc)(size_t n);/    void (*free)(void *p);/; t; s/^    void (\*free)(void \*p);/    void *(*alloc)(size_t n);/'
try field-widened types.h 's/^    uint32_t vt;/    uint64_t vt;/'
try type-narrowed types.h 's/^typedef int32_t chy_long;/typedef int16_t chy_long;/'
try number-changed codes.h 's/^#define CHY_VR_INSTANT_OK .*/#define CHY_VR_INSTANT_OK 7/'
try tag-changed types.h 's/CHY_VT_BYTES = 0x2011/CHY_VT_BYTES = 0x2012/'
try iface-changed types.h 's/CHY_IID_EXIT = 3/CHY_IID_EXIT = 30/'
try descriptor-moved module.h 's/^    const char \*version;/    const char *vendor;\n&/'
try signature-changed module.h 's/(\*notify)(void \*self, chy_long event, chy_long context)/(*notify)(void *self, int64_t event, chy_long context)/'
try callback-changed types.h 's/^                                     uint32_t nargs, chy_variant \*result/                                     uint64_t nargs, chy_variant *result/'
try alias-changed types.h 's/^typedef int64_t chy_time;/typedef uint64_t chy_time;/'
try appended-without-a-size module.h 's/^    chy_hresult (\*get_manage_module)(void \*self, chy_manage_module \*out); \/\* optional \*\//&\n    chy_hresult (*added)(void *self);/'
exit $failed
