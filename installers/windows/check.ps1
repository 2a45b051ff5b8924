# Installs the setup program silently for each way of installing, runs the installed RosterBridge, upgrades and uninstalls it.
#
#   installers\windows\check.ps1 -Packages FOLDER
#
# As an administrator, on a machine that may be changed: it is meant for one of GitHub's.
param([Parameter(Mandatory)] [string] $Packages)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$root = Resolve-Path "$PSScriptRoot\..\.."
$setup = @(Get-ChildItem "$Packages\*-setup.exe")
if ($setup.Count -ne 1) { throw "There are $($setup.Count) setup programs in $Packages." }
$setup = $setup[0]
$version = [regex]::Match((Get-Content "$root\Cargo.toml" -Raw), '(?m)^version = "(.+?)"').Groups[1].Value

function Invoke-Setup([string] $Program, [string[]] $Options) {
    Write-Output "> $Program $Options"
    $process = Start-Process $Program -ArgumentList $Options -PassThru -Wait
    if ($process.ExitCode -ne 0) { throw "It ended with $($process.ExitCode)." }
}

function Assert-That([bool] $Holds, [string] $Otherwise) {
    if (-not $Holds) { throw $Otherwise }
}

function Get-Task {
    Get-ScheduledTask -TaskPath '\RosterBridge\' -ErrorAction SilentlyContinue
}

$ways = @(
    @{ Mode = '/CurrentUser'; Folder = "$env:LOCALAPPDATA\Programs\RosterBridge"; Hive = 'HKCU:' },
    @{ Mode = '/AllUsers'; Folder = "$env:ProgramFiles\RosterBridge"; Hive = 'HKLM:' }
)
foreach ($way in $ways) {
    $entry = "$($way.Hive)\Software\Microsoft\Windows\CurrentVersion\Uninstall\RosterBridge"
    Invoke-Setup $setup.FullName @('/S', $way.Mode)
    $folder = (Get-ItemProperty $entry).InstallLocation.Trim('"')
    Assert-That ($folder -eq $way.Folder) "It is installed in $folder, and the documentation says $($way.Folder)."
    $commandLine = "$folder\rosterbridge.exe"
    $desktop = "$folder\rosterbridge-desktop.exe"
    foreach ($program in $commandLine, $desktop) {
        Assert-That (Test-Path $program) "$program is not there."
        # Visual C++'s libraries are not on every Windows, but they are on this machine: the run would not tell.
        $text = [Text.Encoding]::ASCII.GetString([IO.File]::ReadAllBytes($program))
        Assert-That (-not $text.Contains('VCRUNTIME140')) "$program needs Visual C++'s libraries."
    }
    Assert-That ((Get-ItemProperty $entry).DisplayVersion -eq $version) "Windows lists another version than $version."

    node "$root\installers\smoke.mjs" --rosterbridge $commandLine --desktop $desktop --version $version
    Assert-That ($LASTEXITCODE -eq 0) 'The installed RosterBridge does not work.'

    # Data in the place it has by itself, and a task: an upgrade keeps both.
    $ready = "$env:RUNNER_TEMP\ready.json"
    Remove-Item $ready -ErrorAction SilentlyContinue
    $district = Start-Process $commandLine -PassThru -ArgumentList @(
        'practice', 'serve', '--data', "`"$env:RUNNER_TEMP\district`"", '--ready-file', "`"$ready`"")
    $until = (Get-Date).AddMinutes(3)
    while (-not (Test-Path $ready)) {
        Assert-That ((Get-Date) -lt $until) 'The practice district did not start.'
        Start-Sleep -Milliseconds 200
    }
    & $commandLine --profile check setup import --practice $ready
    Assert-That ($LASTEXITCODE -eq 0) 'The profile could not be set up.'
    Stop-Process $district
    $district.WaitForExit()
    & $commandLine --profile check service install --logon interactive
    Assert-That ($LASTEXITCODE -eq 0) 'The service could not be installed.'
    $data = "$env:LOCALAPPDATA\RosterBridge\data\profiles\check"

    # As a person or a management system does it, and as the app's updater does.
    foreach ($how in @(), @('/UPDATE')) {
        Invoke-Setup $setup.FullName (@('/S', $way.Mode) + $how)
        Assert-That (Test-Path "$data\ledger.db") 'The upgrade took the data.'
        Assert-That ($null -ne (Get-Task)) 'The upgrade took the task.'
    }
    & $commandLine --profile check status
    Assert-That ($LASTEXITCODE -eq 0) 'The profile does not open after the upgrade.'

    # With `_?=` it does not go on in a copy of its own, and can be waited for; its own file then stays. The option has to be
    # the last, and without quotation marks also where the folder has a space.
    Invoke-Setup "$folder\uninstall.exe" @('/S', $way.Mode, "_?=$folder")
    foreach ($program in $commandLine, $desktop) {
        Assert-That (-not (Test-Path $program)) "$program is left."
    }
    Assert-That (-not (Test-Path $entry)) 'Windows still lists RosterBridge.'
    Assert-That ($null -eq (Get-Task)) 'The task is left.'
    Assert-That (Test-Path "$data\ledger.db") 'A silent uninstall took the data.'
    Remove-Item "$folder\uninstall.exe"
    # The next way begins anew.
    Remove-Item "$env:LOCALAPPDATA\RosterBridge\data" -Recurse
    Write-Output "$($way.Mode): installed, run, upgraded, uninstalled."
}
